"""Proofs about servers, backfilling servers, availability groups and capabilities."""

from __future__ import annotations

from typing import Any

from tests.dialects.proofs import Clients, cannot, documented, proves

GIB = 2**30
BODY = {"name": "web", "cpu": 1000, "mem": GIB, "vnc_password": "secret"}
PLURAL = {"Server": "servers", "BServer": "bservers"}

for kind in PLURAL.values():
    documented(
        f"/{kind}/",
        f"GET /{kind}/",
        f"GET /{kind}/detail/",
        f"GET /{kind}/schema/",
        f"POST /{kind}/",
        f"DELETE /{kind}/",
        f"GET /{kind}/availability_groups/",
        f"GET /{kind}/availability_groups/{{uuid}}/",
        f"GET /{kind}/{{uuid}}/",
        f"PUT /{kind}/{{uuid}}/",
        f"DELETE /{kind}/{{uuid}}/",
        f"DELETE /{kind}/{{uuid}}/?recurse",
        f"GET /{kind}/{{uuid}}/runtime/",
        *(
            f"POST /{kind}/{{uuid}}/action/?do={action}"
            for action in (
                "start",
                "start&avoid",
                "stop",
                "shutdown",
                "restart",
                "clone",
                "clone&avoid",
                "open_vnc",
                "close_vnc",
                "open_console",
                "close_console",
            )
        ),
    )
    cannot("cloudsigma", "has no method that deletes several at once", f"DELETE /{kind}/")
documented("/capabilities/", "GET /capabilities/")


def a_server(on: Clients, kind: str = "Server", **more: Any) -> Any:
    return on.of(kind).create({**BODY, **more})


def a_running_server(on: Clients, kind: str = "Server", **more: Any) -> Any:
    made = a_server(on, kind, **more)
    on.of(kind).start(made["uuid"])
    on.advance()
    return on.of(kind).get(made["uuid"])


def a_disk(on: Clients, **more: Any) -> Any:
    drive = on.of("Drive").create({"name": "disk", "size": GIB, "media": "disk", **more})
    on.advance()
    return drive


def mount(drive: Any) -> dict[str, Any]:
    return {"device": "virtio", "dev_channel": "0:0", "boot_order": 1, "drive": drive["uuid"]}


def _prove_package(kind: str, path: str) -> None:
    """What the `cloudsigma` package offers is the same for both kinds of server."""

    @proves("cloudsigma", f"{kind}.create", f"POST /{path}/")
    def create(on: Clients) -> None:
        one = on.of(kind).create(BODY)
        many = on.of(kind).create([{**BODY, "name": f"bulk-{number}"} for number in range(40)])

        assert one["status"] == "stopped"
        assert one["is_grey"] is (kind == "BServer")
        assert [server["name"] for server in many] == [f"bulk-{number}" for number in range(40)]

    @proves("cloudsigma", f"{kind}.list", f"GET /{path}/")
    def list_(on: Clients) -> None:
        made = a_server(on, kind, name=f"listed-{kind}")

        found = on.of(kind).list({"name": made["name"]})
        by_name = on.of(kind).list({"order_by": "-name", "fields": "name"})

        assert [server["uuid"] for server in found] == [made["uuid"]]
        assert set(found[0]) == {"uuid", "name", "owner", "resource_uri", "runtime", "status"}
        assert [each["name"] for each in by_name] == sorted((each["name"] for each in by_name), reverse=True)

    @proves("cloudsigma", f"{kind}.list_detail", f"GET /{path}/detail/")
    def list_detail(on: Clients) -> None:
        made = a_server(on, kind)

        assert made in on.of(kind).list_detail()

    @proves("cloudsigma", f"{kind}.get_schema", f"GET /{path}/schema/")
    def schema(on: Clients) -> None:
        assert set(on.of(kind).get_schema()["fields"]) == set(a_server(on, kind))

    @proves("cloudsigma", f"{kind}.get", f"GET /{path}/{{uuid}}/")
    def get(on: Clients) -> None:
        made = a_server(on, kind)

        assert on.of(kind).get(made["uuid"]) == made

    @proves("cloudsigma", f"{kind}.update", f"PUT /{path}/{{uuid}}/")
    def update(on: Clients) -> None:
        disk = a_disk(on)
        made = a_server(on, kind)
        attached = on.of(kind).update(made["uuid"], {**made, "drives": [mount(disk)], "mem": str(2 * GIB)})
        detached = on.of(kind).update(made["uuid"], {**attached, "drives": []})

        assert [each["drive"]["uuid"] for each in attached["drives"]] == [disk["uuid"]]
        assert attached["mem"] == 2 * GIB
        assert detached == {**attached, "drives": []}

    @proves("cloudsigma", f"{kind}.update (running)", f"PUT /{path}/{{uuid}}/")
    def update_running(on: Clients) -> None:
        made = a_running_server(on, kind)

        changed = on.of(kind).update(made["uuid"], {**made, "name": "new", "meta": {"a": "b"}, "cpu": 2000})

        assert changed == {**made, "name": "new", "meta": {"a": "b"}}

    @proves("cloudsigma", f"{kind}.delete", f"DELETE /{path}/{{uuid}}/")
    def delete(on: Clients) -> None:
        made = a_server(on, kind)
        on.of(kind).delete(made["uuid"])

        assert made["uuid"] not in [server["uuid"] for server in on.of(kind).list()]

    @proves("cloudsigma", f"{kind}.delete_with_all_drives, _disks, _cdroms", f"DELETE /{path}/{{uuid}}/?recurse")
    def delete_with_drives(on: Clients) -> None:
        for method, left in (
            ("delete_with_all_drives", set()),
            ("delete_with_disks", {"cdrom"}),
            ("delete_with_cdroms", {"disk"}),
        ):
            drives = [a_disk(on, media=media) for media in ("disk", "cdrom")]
            made = a_server(on, kind, drives=[{"drive": drive["uuid"]} for drive in drives])
            getattr(on.of(kind), method)(made["uuid"])
            uuids = {drive["uuid"] for drive in drives}
            found = [drive for drive in on.of("Drive").list_detail() if drive["uuid"] in uuids]
            assert {drive["media"] for drive in found} == left, method

    @proves("cloudsigma", f"{kind}.runtime", f"GET /{path}/{{uuid}}/runtime/")
    def runtime(on: Clients) -> None:
        made = a_running_server(on, kind, nics=[{"ip_v4_conf": {"conf": "dhcp"}}])
        found = on.of(kind).runtime(made["uuid"])

        assert found == made["runtime"]
        assert ("perf_factor" in found) is (kind == "BServer")
        assert found["nics"][0]["mac"] == made["nics"][0]["mac"]

    @proves(
        "cloudsigma",
        f"{kind}.start, stop, shutdown, restart",
        *(f"POST /{path}/{{uuid}}/action/?do={action}" for action in ("start", "stop", "shutdown", "restart")),
    )
    def lifecycle(on: Clients) -> None:
        resource, uuid = on.of(kind), a_server(on, kind)["uuid"]
        seen = []
        for action in ("start", "restart", "stop", "start", "shutdown"):
            answer = getattr(resource, action)(uuid)
            assert answer == {"action": action, "result": "success", "uuid": uuid}
            seen.append(resource.get(uuid)["status"])
            on.advance()
            seen.append(resource.get(uuid)["status"])
        assert seen[:4] == ["starting", "running", "running", "running"]
        assert seen[4:] == ["stopping", "stopped", "starting", "running", "stopping", "stopped"]

    @proves("cloudsigma", f"{kind}._action", f"POST /{path}/{{uuid}}/action/?do=start&avoid")
    def start_apart(on: Clients) -> None:
        first, second = a_running_server(on, kind), a_server(on, kind)
        on.of(kind)._action(second["uuid"], "start", {}, query_params={"avoid": first["uuid"]})
        on.advance()

        groups = on.of("ServersAvailabilityGroups").get(first["uuid"])
        assert first["uuid"] in groups
        assert second["uuid"] not in groups

    @proves(
        "cloudsigma",
        f"{kind}.clone",
        f"POST /{path}/{{uuid}}/action/?do=clone",
        f"POST /{path}/{{uuid}}/action/?do=clone&avoid",
    )
    def clone(on: Clients) -> None:
        origin = a_server(on, kind, drives=[mount(a_disk(on))])
        plain = on.of(kind).clone(origin["uuid"])
        apart = on.of(kind).clone(origin["uuid"], {"name": "apart"}, avoid=origin["uuid"])

        assert (plain["status"], apart["name"], len(apart["drives"])) == ("stopped", "apart", 1)
        [job] = apart["jobs"]
        assert on.of("Server").get_from_url(job["resource_uri"])["operation"] == "server_clone"
        on.advance()
        assert on.of(kind).get(apart["uuid"])["jobs"] == []

    @proves(
        "cloudsigma",
        f"{kind}.open_vnc, close_vnc, open_console, close_console",
        *(
            f"POST /{path}/{{uuid}}/action/?do={action}"
            for action in ("open_vnc", "close_vnc", "open_console", "close_console")
        ),
    )
    def consoles(on: Clients) -> None:
        resource, uuid = on.of(kind), a_running_server(on, kind)["uuid"]

        assert resource.open_vnc(uuid)["vnc_url"].startswith("vnc://simulated.localhost:")
        assert resource.open_console(uuid)["console_url"].startswith("csconsole://simulated.localhost:")
        assert resource.close_vnc(uuid)["result"] == resource.close_console(uuid)["result"] == "success"


for each, plural in PLURAL.items():
    _prove_package(each, plural)


@proves("cloudsigma", "ServersAvailabilityGroups.list", "GET /servers/availability_groups/")
def groups(on: Clients) -> None:
    server = a_running_server(on)

    found = on.of("ServersAvailabilityGroups").list()

    assert [group for group in found if server["uuid"] in group] == [
        on.of("ServersAvailabilityGroups").get(server["uuid"])
    ]


@proves("cloudsigma", "ServersAvailabilityGroups.get", "GET /servers/availability_groups/{uuid}/")
def group(on: Clients) -> None:
    server = a_server(on)

    assert on.of("ServersAvailabilityGroups").get(server["uuid"]) == []


@proves(
    "cloudsigma",
    "GenericClient.get",
    "GET /bservers/availability_groups/",
    "GET /bservers/availability_groups/{uuid}/",
)
def groups_of_backfilling_servers(on: Clients) -> None:
    server = a_running_server(on, "BServer")
    client = on.of("BServer").c

    found = client.get("/bservers/availability_groups/")

    assert server["uuid"] in client.get(f"/bservers/availability_groups/{server['uuid']}/")
    assert sum(server["uuid"] in each for each in found) == 1


@proves("cloudsigma", "Capabilites.list", "GET /capabilities/")
def capabilities(on: Clients) -> None:
    found = on.of("Capabilites").list()

    assert found["backfilling"] is True
    assert set(found["free_resources"]) == {"total", "most_free_by_cpu", "most_free_by_memory"}


# ----------------------------------------------------------------------------------------------------------- libcloud


def a_node(on: Clients, **more: Any) -> Any:
    return on.libcloud.ex_get_node(a_server(on, **more)["uuid"])


def a_running_node(on: Clients, **more: Any) -> Any:
    return on.libcloud.ex_get_node(a_running_server(on, **more)["uuid"])


@proves(
    "libcloud",
    "create_node",
    "POST /servers/",
    "POST /servers/{uuid}/action/?do=start&avoid",
    "POST /drives/{uuid}/action/?do=clone",
    "POST /drives/{uuid}/action/?do=resize",
    "GET /drives/{uuid}/",
)
def create_node(on: Clients) -> None:
    driver = on.libcloud
    image = next(image for image in driver.list_images() if "debian" in image.name)
    other = a_running_server(on)
    size = next(size for size in driver.list_sizes() if size.cpu == 1 and size.disk > 3)
    with on.ticking():
        node = driver.create_node(name="from-image", size=size, image=image, ex_avoid=[other["uuid"]])
    on.advance()
    made = driver.ex_get_node(node.id)

    assert (made.state, made.image) == ("running", "debian 12")
    [drive] = made.extra["drives"]
    assert driver.ex_get_drive(drive["drive"]["uuid"]).size == size.disk
    assert node.id not in on.of("ServersAvailabilityGroups").get(other["uuid"])


@proves("libcloud", "list_nodes", "GET /servers/detail/")
def list_nodes(on: Clients) -> None:
    node = a_node(on)

    assert node.id in [each.id for each in on.libcloud.list_nodes()]


@proves("libcloud", "ex_get_node", "GET /servers/{uuid}/")
def get_node(on: Clients) -> None:
    assert a_running_node(on).state == "running"


@proves("libcloud", "ex_edit_node", "PUT /servers/{uuid}/")
def edit_node(on: Clients) -> None:
    """It sends CPU and memory in its own units: both have to be given too."""
    node = a_node(on)
    edited = on.libcloud.ex_edit_node(node, {"name": "edited", "cpu": 2000, "mem": GIB})

    assert (edited.name, edited.extra["cpus"]) == ("edited", 1)


@proves("libcloud", "ex_attach_drive, ex_detach_drive", "PUT /servers/{uuid}/")
def attach(on: Clients) -> None:
    driver, node, disk = on.libcloud, a_node(on), a_disk(on)
    drive = driver.ex_get_drive(disk["uuid"])

    assert driver.ex_attach_drive(node, drive) is True
    assert [each["drive"]["uuid"] for each in driver.ex_get_node(node.id).extra["drives"]] == [drive.id]
    assert driver.ex_detach_drive(driver.ex_get_node(node.id), drive) is True
    assert driver.ex_get_node(node.id).extra["drives"] == []


@proves("libcloud", "destroy_node", "DELETE /servers/{uuid}/", "DELETE /servers/{uuid}/?recurse")
def destroy_node(on: Clients) -> None:
    disk = a_disk(on)
    plain, full = a_node(on), a_node(on, drives=[mount(disk)])

    assert on.libcloud.destroy_node(plain) is True
    assert on.libcloud.destroy_node(full, ex_delete_drives=True) is True
    assert disk["uuid"] not in [drive.id for drive in on.libcloud.list_volumes()]


@proves(
    "libcloud",
    "start_node, stop_node",
    "POST /servers/{uuid}/action/?do=start",
    "POST /servers/{uuid}/action/?do=stop",
)
def start_and_stop(on: Clients) -> None:
    node = a_node(on)

    assert on.libcloud.start_node(node) is True
    on.advance()
    assert on.libcloud.stop_node(node) is True
    on.advance()
    assert on.libcloud.ex_get_node(node.id).state == "stopped"


@proves("libcloud", "reboot_node", "POST /servers/{uuid}/action/?do=stop", "POST /servers/{uuid}/action/?do=start")
def reboot(on: Clients) -> None:
    node = a_running_node(on)
    with on.ticking():
        assert on.libcloud.reboot_node(node) is True


@proves("libcloud", "ex_clone_node", "POST /servers/{uuid}/action/?do=clone")
def clone_node(on: Clients) -> None:
    node = a_node(on)
    twin = on.libcloud.ex_clone_node(node, name="twin", random_vnc_password=True)

    assert twin.name == "twin"
    assert twin.extra["vnc_password"] != node.extra["vnc_password"]


@proves(
    "libcloud",
    "ex_open_vnc_tunnel, ex_close_vnc_tunnel",
    "POST /servers/{uuid}/action/?do=open_vnc",
    "POST /servers/{uuid}/action/?do=close_vnc",
)
def vnc_tunnel(on: Clients) -> None:
    node = a_running_node(on)

    assert on.libcloud.ex_open_vnc_tunnel(node).startswith("vnc://simulated.localhost:")
    assert on.libcloud.ex_close_vnc_tunnel(node) is True


@proves("libcloud", "ex_list_servers_availability_groups", "GET /servers/availability_groups/")
def node_groups(on: Clients) -> None:
    server = a_running_server(on)

    assert sum(server["uuid"] in group for group in on.libcloud.ex_list_servers_availability_groups()) == 1


@proves("libcloud", "ex_list_capabilities", "GET /capabilities/")
def list_capabilities(on: Clients) -> None:
    assert "kvm" in on.libcloud.ex_list_capabilities()["hypervisors"]


def silence(on: Clients, state: str) -> None:
    for cell in ("cell-1", "cell-2"):
        on.inject(cell, state)


@proves("cloudsigma", "Server.list_detail (of a silent cell)", "GET /servers/detail/", "GET /servers/{uuid}/")
def silent(on: Clients) -> None:
    made = a_server(on)
    silence(on, "down")
    try:
        [found] = [server for server in on.of("Server").list_detail() if server["uuid"] == made["uuid"]]
        assert (found["status"], found["runtime"]) == ("unavailable", None)
        assert on.of("Server").get(made["uuid"]) == found
    finally:
        silence(on, "up")


@proves("libcloud", "list_nodes (of a silent cell)", "GET /servers/detail/")
def silent_nodes(on: Clients) -> None:
    node = a_node(on)
    silence(on, "down")
    try:
        assert {each.id: each.state for each in on.libcloud.list_nodes()}[node.id] == "error"
    finally:
        silence(on, "up")


NO_METHOD = "has no method for it"
cannot(
    "libcloud",
    NO_METHOD,
    "GET /servers/",
    "GET /servers/schema/",
    "DELETE /servers/",
    "GET /servers/availability_groups/{uuid}/",
    "GET /servers/{uuid}/runtime/",
    *(
        f"POST /servers/{{uuid}}/action/?do={action}"
        for action in ("shutdown", "restart", "clone&avoid", "open_console", "close_console")
    ),
)
cannot(
    "libcloud",
    "knows nothing of backfilling: its servers are in /servers/",
    *(
        f"{method} /bservers/{path}"
        for method, path in (
            ("GET", ""),
            ("GET", "detail/"),
            ("GET", "schema/"),
            ("POST", ""),
            ("DELETE", ""),
            ("GET", "availability_groups/"),
            ("GET", "availability_groups/{uuid}/"),
            ("GET", "{uuid}/"),
            ("PUT", "{uuid}/"),
            ("DELETE", "{uuid}/"),
            ("DELETE", "{uuid}/?recurse"),
            ("GET", "{uuid}/runtime/"),
        )
    ),
    *(
        f"POST /bservers/{{uuid}}/action/?do={action}"
        for action in (
            "start",
            "start&avoid",
            "stop",
            "shutdown",
            "restart",
            "clone",
            "clone&avoid",
            "open_vnc",
            "close_vnc",
            "open_console",
            "close_console",
        )
    ),
)
