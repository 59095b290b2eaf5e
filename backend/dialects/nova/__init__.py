"""OpenStack Compute under `/compute/v2.1`, microversions 2.1 to 2.100: servers, services, flavors, groups, down cells.

Source: the Compute API reference, "Handling Down Cells", and answers recorded from Nova 34. Memory is MiB, disks are
GiB, CPU is vCPUs of 2 GHz. Project and user ids are written without dashes. A cell is an availability zone.

    versions  microversions and the version documents
    table     the envelope, faults, paths                   shapes    bodies against schemas, in Nova's words
    asking    the query of a list                           listing   lists, partial rows, pages
    render    servers as Nova shows them                    making    what a create asks for
    servers   one server, its metadata and tags             actions   start, stop, reboot
    services  compute services, hypervisors, zones          catalog   flavors, server groups
    quotas    limits and quota sets

**Differences from a real Nova 34**, each with its reason.

While a cell does not answer:
- A list has a deadline, and a cell that hangs takes no other cell with it: a real one is silent for minutes, then
  declares healthy cells down too, or lists a server twice.
- The first page shows all partial rows, then up to 1,000 others. A real one fills the page first and shows partial rows
  in what is left, so that they can be missing from every page.
- A next link's marker is always a server that answers: a real one may name one that does not, and following it is a
  500. Naming one oneself is still a 500, as documented.
- `deleted=False` and the project are applied to partial rows, as documented. A real one leaves the rows out, so that
  `openstack server list --all-projects`, which always sends the first, never shows any.
- Showing a server works in every microversion from 2.69 on: from 2.98 on a real one asks the cell for the image's
  properties, and fails.
- Another project's server is 404 in either state: with a real one a 403 tells that it exists.
- A server that is being deleted is 404 below 2.69 too, where a real one fails.
- Showing a server gives an object, as real clients need; the documentation's sample has a list. Its image has links.
- `security_groups` of a partial row are what was asked for at its creation: there is no Neutron to ask.
- Hypervisors, and server groups with members there, are listed as far as cells answer: a real one fails. An unknown
  service is 404, not 500. A scheduler that is not there cannot be down: there is no cell 0.

Always:
- Version 2.0 is not served. Links never have the project in them, whatever the query.
- A stopped server holds no host, so `os-start` looks for one, and is 409 with the reasons where there is none.
- Policies of groups are hard and soft anti-affinity; hard holds for creates, `os-start`, and what the cloud itself
  starts elsewhere. A start through another API goes by its own avoid list.
- Servers made through another API have flavors named after their sizes, and all their drives are volumes.
- One server a request; no networks, addresses, keypairs, resizing, snapshots, migrations; quotas are read, not set.
  What is asked for of these is refused by name, or kept and shown where it is only a word (`key_name`,
  `security_groups`).
- A service that is forced down is lost, with all that is on its host, as after `stratodeck host fail`; a real one only
  marks it, so that its servers may be evacuated. The reason of a disabled one is always that it is in maintenance.
- There are no aggregates. Zones are cells.
- Stopping, starting and rebooting begin at once; a reboot takes no time, and there is no REBOOT status.
- `launched_at` is that of the current start, and null while there is none.
- Filters by name know `^`, `$`, `.` and `.*`, and ignore case. Those by what servers here do not have do nothing.
- A project-scoped path (`/v2.1/PROJECT/servers`) is not served.
"""

from __future__ import annotations

from starlette.routing import Route

from backend.dialects import wire
from backend.dialects.nova import actions, catalog, listing, quotas, servers, services, table
from backend.dialects.nova.table import ERRORS, Context, Path, Since, refuse
from backend.dialects.nova.versions import PREFIX
from backend.operations import Cloud
from backend.operations.cells import Pictures

__all__ = ["ERRORS", "PREFIX", "refuse", "routes"]

_TAGS_SINCE = 26
_STATISTICS_UNTIL = 87

PATHS = (
    Path("/servers", {"GET": listing.list_brief, "POST": servers.create}),
    Path("/servers/detail", {"GET": listing.list_detail}),
    Path("/servers/{id}", {"GET": servers.show, "PUT": servers.update, "DELETE": servers.delete}),
    Path("/servers/{id}/action", {"POST": actions.act}),
    Path("/servers/{id}/ips", {"GET": servers.addresses}),
    Path(
        "/servers/{id}/metadata",
        {"GET": servers.list_metadata, "POST": servers.add_metadata, "PUT": servers.replace_metadata},
    ),
    Path(
        "/servers/{id}/metadata/{key}",
        {"GET": servers.show_meta, "PUT": servers.put_meta, "DELETE": servers.delete_meta},
    ),
    Path(
        "/servers/{id}/tags",
        {
            "GET": Since(servers.list_tags, _TAGS_SINCE),
            "PUT": Since(servers.replace_tags, _TAGS_SINCE),
            "DELETE": Since(servers.delete_tags, _TAGS_SINCE),
        },
    ),
    Path(
        "/servers/{id}/tags/{tag}",
        {
            "GET": Since(servers.show_tag, _TAGS_SINCE),
            "PUT": Since(servers.put_tag, _TAGS_SINCE),
            "DELETE": Since(servers.delete_tag, _TAGS_SINCE),
        },
    ),
    Path("/os-services", {"GET": services.list_services}),
    Path("/os-services/{id}", {"PUT": services.update_service}),
    Path("/os-hypervisors", {"GET": services.list_hypervisors}),
    Path("/os-hypervisors/detail", {"GET": services.list_hypervisors_detail}),
    Path("/os-hypervisors/statistics", {"GET": Since(services.hypervisor_statistics, last=_STATISTICS_UNTIL)}),
    Path("/os-hypervisors/{id}", {"GET": services.show_hypervisor}),
    Path("/os-aggregates", {"GET": services.list_aggregates}),
    Path("/os-availability-zone", {"GET": services.list_zones}),
    Path("/os-availability-zone/detail", {"GET": services.list_zones_detail}),
    Path("/flavors", {"GET": catalog.list_flavors}),
    Path("/flavors/detail", {"GET": catalog.list_flavors_detail}),
    Path("/flavors/{id}", {"GET": catalog.show_flavor}),
    Path("/flavors/{id}/os-extra_specs", {"GET": catalog.show_extra_specs}),
    Path("/os-server-groups", {"GET": catalog.list_groups, "POST": catalog.create_group}),
    Path("/os-server-groups/{id}", {"GET": catalog.show_group, "DELETE": catalog.delete_group}),
    Path("/limits", {"GET": quotas.limits}),
    Path("/os-quota-sets/{id}", {"GET": quotas.show_quotas}),
    Path("/os-quota-sets/{id}/detail", {"GET": quotas.show_quotas_detail}),
    Path("/os-quota-sets/{id}/defaults", {"GET": quotas.show_default_quotas}),
)


def routes(cloud: Cloud, credentials: wire.Credentials) -> list[Route]:
    context = Context(
        cloud=cloud,
        credentials=credentials,
        pictures=Pictures(cloud),
        server_objects=wire.Fragments(),
        answers=wire.kept_answers(cloud),
    )
    return table.routes_of(PATHS, context)
