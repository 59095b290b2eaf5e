"""Compute services, hypervisors and availability zones: the hosts, in Nova's three views of them.

A cell is a zone. Its hosts run nova-compute, and it has a conductor; a scheduler and a conductor are central. While a
cell does not answer, its hosts are listed as `UNKNOWN` from 2.69 on and its conductor is left out.

**Source**: Compute API reference, "Compute services", "Hypervisors", "Availability zones"; "Handling Down Cells".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from starlette.responses import Response

from backend.cloud.backfill import HostLoad
from backend.cloud.errors import WrongState
from backend.cloud.model import MIB, VCPU_MHZ, HostState
from backend.dialects.nova import shapes
from backend.dialects.nova.render import micro_text
from backend.dialects.nova.table import (
    NO_CONNECTION,
    Call,
    answer,
    bad_request,
    conflict,
    not_found,
    unexpected,
)
from backend.operations import drains, losses, services
from backend.operations.services import COMPUTE, Service

INTERNAL = "internal"
MAINTENANCE_REASON = "in maintenance"


def service_id(call: Call, binary: str, host: str) -> str:
    """From 2.53 on."""
    return str(uuid5(UUID(call.cloud.store.cloud_id), f"service/{binary}/{host}"))


def _zone(service: Service) -> str:
    """Only hosts have one of their own."""
    return service.cell if service.binary == COMPUTE and service.cell is not None else INTERNAL


async def _all_services(call: Call) -> tuple[list[Service], list[Service]]:
    """Those that are known, and those of cells that do not answer."""
    found = await services.list_services(call.cloud, call.context.pictures)
    return [each for each in found if each.state is not None], [each for each in found if each.state is None]


# ------------------------------------------------------------------------------------------------------------- services


async def list_services(call: Call) -> Response:
    call.require_admin("os-services:list")
    query = call.request.query_params
    binary, host = query.get("binary"), query.get("host")
    found, silent = await _all_services(call)
    rows = [
        _row(call, service)
        for service in found
        if binary in (None, "", service.binary) and host in (None, "", service.host)
    ]
    if call.minor >= 69 and binary in (None, "", COMPUTE):
        rows += [
            {"binary": COMPUTE, "host": each.host, "status": "UNKNOWN"}
            for each in silent
            if host in (None, "", each.host)
        ]
    return answer({"services": rows})


def _row(call: Call, service: Service) -> dict[str, Any]:
    is_disabled = service.state is HostState.MAINTENANCE
    row: dict[str, Any] = {
        "binary": service.binary,
        "host": service.host,
        "id": service_id(call, service.binary, service.host) if call.minor >= 53 else service.number,
        "zone": _zone(service),
        "status": "disabled" if is_disabled else "enabled",
        "state": "down" if service.state is HostState.DOWN else "up",
        "updated_at": micro_text(service.last_heard_at(call.cloud.clock.now())),
        "disabled_reason": MAINTENANCE_REASON if is_disabled else None,
    }
    if call.minor >= 11:
        row["forced_down"] = service.state is HostState.DOWN
    return row


_BY_NAME: shapes.Schema = {
    "type": "object",
    "properties": {
        "host": {"type": "string", "minLength": 1, "maxLength": 255},
        "binary": {"type": "string", "minLength": 1, "maxLength": 255},
        "disabled_reason": {"type": "string", "minLength": 1, "maxLength": 255},
        "forced_down": shapes.BOOLEAN,
    },
    "required": ("host", "binary"),
    "additionalProperties": False,
}
_BY_ID: shapes.Schema = {
    "type": "object",
    "properties": {
        "status": {"type": "string", "enum": ("enabled", "disabled")},
        "disabled_reason": {"type": "string", "minLength": 1, "maxLength": 255},
        "forced_down": shapes.BOOLEAN,
    },
    "additionalProperties": False,
}
_LAST_BY_NAME = 52
_FORCE_SINCE = 11


async def update_service(call: Call) -> Response:
    """Up to 2.52 an action by name in the path; from 2.53 on a service by its id."""
    call.require_admin("os-services:update")
    content = await call.content()
    if call.minor > _LAST_BY_NAME:
        return await _update_by_id(call, content)
    action = call.part("id")
    if action not in ("enable", "disable", "disable-log-reason") and not (
        action == "force-down" and call.minor >= _FORCE_SINCE
    ):
        raise not_found("Unknown action")
    shapes.check(_BY_NAME, content)
    if action == "disable-log-reason" and "disabled_reason" not in content:
        raise bad_request("Missing disabled reason field")
    if action == "force-down" and "forced_down" not in content:
        raise bad_request("Missing forced_down field")
    host, binary = content["host"], content["binary"]
    await _require_compute(call, host, binary)
    body: dict[str, Any] = {"host": host, "binary": binary}
    if action == "force-down":
        body["forced_down"] = shapes.is_true(content["forced_down"])
        await _force_down(call, host, is_down=body["forced_down"])
    else:
        body["status"] = "enabled" if action == "enable" else "disabled"
        await _set_status(call, host, body["status"])
        if action == "disable-log-reason":
            body["disabled_reason"] = content["disabled_reason"]
    return answer({"service": body})


async def _update_by_id(call: Call, content: Mapping[str, Any]) -> Response:
    shapes.check(_BY_ID, content)
    if not content:
        raise bad_request("No updates were requested. Fields 'status' or 'forced_down' should be specified.")
    if "disabled_reason" in content and content.get("status") != "disabled":
        raise bad_request("Specifying disabled_reason requires that status is 'disabled'.")
    wanted = call.part("id")
    found, silent = await _all_services(call)
    if any(service_id(call, each.binary, each.host) == wanted for each in silent):
        raise unexpected(NO_CONNECTION)
    service = next((each for each in found if service_id(call, each.binary, each.host) == wanted), None)
    if service is None:
        raise not_found(f"Service {wanted[:255]} could not be found.")
    await _require_compute(call, service.host, service.binary)
    if "status" in content:
        await _set_status(call, service.host, content["status"])
    if "forced_down" in content:
        await _force_down(call, service.host, is_down=shapes.is_true(content["forced_down"]))
    after, _ = await _all_services(call)
    changed = next(each for each in after if each.binary == service.binary and each.host == service.host)
    return answer({"service": _row(call, changed)})


async def _require_compute(call: Call, host: str, binary: str) -> None:
    """Only a host can be taken out of service. Raises WireError 400, 404, 500."""
    found, silent = await _all_services(call)
    if binary == COMPUTE and any(each.host == host for each in silent):
        raise unexpected(NO_CONNECTION)
    if not any(each.host == host and each.binary == binary for each in found):
        raise not_found(f"Could not find binary {binary[:255]} on host {host[:255]}.")
    if binary != COMPUTE:
        raise bad_request(f"Updating a {binary} service is not supported. Only nova-compute services can be updated.")


async def _state_of(call: Call, host: str) -> HostState:
    cell = await losses.cell_of(call.cloud, host)
    return await call.cloud.store.cell_read(cell, lambda tx: tx.host(host).state)


async def _set_status(call: Call, host: str, status: str) -> None:
    """Disabled is in maintenance: no more placements. A lost host is neither."""
    state = await _state_of(call, host)
    try:
        if status == "disabled" and state is HostState.UP:
            await drains.drain_host(call.cloud, call.account.name, host)
        elif status == "enabled" and state is HostState.MAINTENANCE:
            await losses.recover_host(call.cloud, call.account.name, host)
        elif state is HostState.DOWN:
            raise conflict(f"Host {host} is down: it can be neither enabled nor disabled.")
    except WrongState as error:
        raise conflict(str(error)) from error


async def _force_down(call: Call, host: str, *, is_down: bool) -> None:
    """Forced down is lost, with all that is on it, as if it had failed; taken back, it has recovered."""
    state = await _state_of(call, host)
    try:
        if is_down and state is not HostState.DOWN:
            await losses.fail_host(call.cloud, call.account.name, host)
        elif not is_down and state is HostState.DOWN:
            await losses.recover_host(call.cloud, call.account.name, host)
    except WrongState as error:
        raise conflict(str(error)) from error


# ---------------------------------------------------------------------------------------------------------- hypervisors


@dataclass(frozen=True, slots=True)
class Hypervisor:
    number: int
    id: str
    load: HostLoad

    def row(self, call: Call) -> dict[str, Any]:
        host = self.load.host
        return {
            "id": self.id if call.minor >= 53 else self.number,
            "hypervisor_hostname": host.name,
            "state": "down" if host.state is HostState.DOWN else "up",
            "status": "disabled" if host.state is HostState.MAINTENANCE else "enabled",
        }


async def _hypervisors(call: Call) -> list[Hypervisor]:
    found: list[Hypervisor] = []
    number = 0
    for known in (await services.known_hosts(call.cloud, call.context.pictures)).values():
        for each in known:
            number += 1
            if not isinstance(each, str):
                id_ = str(uuid5(UUID(call.cloud.store.cloud_id), f"hypervisor/{each.host.name}"))
                found.append(Hypervisor(number, id_, each))
    return found


async def list_hypervisors(call: Call) -> Response:
    return await _list_hypervisors(call, is_detailed=False)


async def list_hypervisors_detail(call: Call) -> Response:
    return await _list_hypervisors(call, is_detailed=True)


async def _list_hypervisors(call: Call, *, is_detailed: bool) -> Response:
    """Of the cells that answer; Nova fails while any does not."""
    call.require_admin(f"os-hypervisors:{'list-detail' if is_detailed else 'list'}")
    query = call.request.query_params
    found = await _hypervisors(call)
    pattern = query.get("hypervisor_hostname_pattern") if call.minor >= 53 else None
    if pattern is not None:
        found = [each for each in found if pattern in each.load.host.name]
        if not found:
            raise not_found(f"No hypervisor matching '{pattern[:255]}' could be found.")
    content: dict[str, Any] = {}
    if call.minor >= 33:
        found, next_link = _page(call, found, is_detailed=is_detailed)
        if next_link is not None:
            content["hypervisors_links"] = [next_link]
    shows_servers = call.minor >= 53 and query.get("with_servers", "false").lower() in ("true", "1", "on", "yes")
    rows = [_hypervisor_row(call, each, is_detailed=is_detailed, shows_servers=shows_servers) for each in found]
    return answer({"hypervisors": rows, **content})


def _page(call: Call, found: list[Hypervisor], *, is_detailed: bool) -> tuple[list[Hypervisor], dict[str, str] | None]:
    query = call.request.query_params
    schema: shapes.Schema = {"type": "object", "properties": {"limit": {"type": "string", "pattern": "^[0-9]*$"}}}
    if "limit" in query:
        shapes.check(schema, {"limit": query["limit"]}, what="query parameters")
    text = query.get("limit") or ""
    limit = int(text) if text and len(text) <= 9 else len(found)
    marker = query.get("marker")
    if marker is not None:
        ids = [str(each.row(call)["id"]) for each in found]
        if marker not in ids:
            raise bad_request(f"marker [{marker[:255]}] not found")
        found = found[ids.index(marker) + 1 :]
    page = found[:limit]
    if not page or len(found) <= limit:
        return page, None
    path = "os-hypervisors/detail" if is_detailed else "os-hypervisors"
    last = page[-1].row(call)["id"]
    href = f"{call.base}/compute/v2.1/{path}?limit={limit}&marker={last}"
    return page, {"rel": "next", "href": href}


def _hypervisor_row(call: Call, each: Hypervisor, *, is_detailed: bool, shows_servers: bool) -> dict[str, Any]:
    row = _hypervisor_detail(call, each) if is_detailed else each.row(call)
    if shows_servers or (call.minor >= 75 and is_detailed and "with_servers" in call.request.query_params):
        row["servers"] = [{"name": server.name, "uuid": server.id} for server in each.load.servers]
    return row


async def show_hypervisor(call: Call) -> Response:
    call.require_admin("os-hypervisors:show")
    wanted = call.part("id")
    for each in await _hypervisors(call):
        if str(each.row(call)["id"]) == wanted:
            return answer({"hypervisor": _hypervisor_detail(call, each)})
    raise not_found(f"Compute host {wanted[:255]} could not be found.")


def _hypervisor_detail(call: Call, each: Hypervisor) -> dict[str, Any]:
    """Up to 2.87 with what it has and what of it is used. Simplified: nothing is known of its processor."""
    host = each.load.host
    row = each.row(call)
    row["host_ip"] = "127.0.0.1"
    row["hypervisor_type"] = "stratodeck"
    row["hypervisor_version"] = 1
    row["service"] = {
        "id": service_id(call, COMPUTE, host.name) if call.minor >= 53 else each.number,
        "host": host.name,
        "disabled_reason": MAINTENANCE_REASON if host.state is HostState.MAINTENANCE else None,
    }
    if call.minor >= 88:
        row["uptime"] = None
        return row
    row["cpu_info"] = {} if call.minor >= 28 else "{}"
    row.update(_amounts([each.load]))
    del row["count"]
    return row


def _amounts(loads: Iterable[HostLoad]) -> dict[str, int]:
    """Simplified: disks lie on storage hosts, so a hypervisor has none."""
    count = vcpus = vcpus_used = memory = memory_used = running = 0
    for load in loads:
        count += 1
        running += len(load.servers)
        vcpus += load.host.capacity.cpu_mhz // VCPU_MHZ
        memory += load.host.capacity.memory_bytes // MIB
        held = [server.effective for server in load.servers if server.effective is not None]
        vcpus_used += -(-sum(size.cpu_mhz for size in held) // VCPU_MHZ)
        memory_used += -(-sum(size.memory_bytes for size in held) // MIB)
    return {
        "count": count,
        "current_workload": 0,
        "disk_available_least": 0,
        "free_disk_gb": 0,
        "free_ram_mb": memory - memory_used,
        "local_gb": 0,
        "local_gb_used": 0,
        "memory_mb": memory,
        "memory_mb_used": memory_used,
        "running_vms": running,
        "vcpus": vcpus,
        "vcpus_used": vcpus_used,
    }


async def hypervisor_statistics(call: Call) -> Response:
    call.require_admin("os-hypervisors:statistics")
    return answer({"hypervisor_statistics": _amounts(each.load for each in await _hypervisors(call))})


# ---------------------------------------------------------------------------------------------------------------- zones


async def list_aggregates(call: Call) -> Response:
    """None: `openstack hypervisor show` asks for them."""
    call.require_admin("os-aggregates:index")
    return answer({"aggregates": []})


async def list_zones(call: Call) -> Response:
    """The cells that answer and have a host that is up."""
    call_hosts = await services.known_hosts(call.cloud, call.context.pictures)
    rows = [
        {"zoneName": cell, "zoneState": {"available": _is_available(known)}, "hosts": None}
        for cell, known in call_hosts.items()
        if not services.is_silent(call.cloud, cell)
    ]
    return answer({"availabilityZoneInfo": rows})


def _is_available(known: Sequence[HostLoad] | Sequence[str]) -> bool:
    return any(not isinstance(each, str) and each.host.state is HostState.UP for each in known)


async def list_zones_detail(call: Call) -> Response:
    call.require_admin("os-availability-zone:detail")
    found, _ = await _all_services(call)
    zones: dict[str, dict[str, Any]] = {}
    for service in found:
        told = {
            "available": service.state is not HostState.DOWN,
            "active": service.state is not HostState.MAINTENANCE,
            "updated_at": micro_text(call.cloud.clock.now()),
        }
        zones.setdefault(_zone(service), {}).setdefault(service.host, {})[service.binary] = told
    rows = [
        {
            "zoneName": zone,
            "zoneState": {"available": any(told["available"] for host in by_host.values() for told in host.values())},
            "hosts": by_host,
        }
        for zone, by_host in zones.items()
    ]
    return answer({"availabilityZoneInfo": rows})
