"""What the tests of the Compute API do again and again, and a cloud like the one that the recorded answers are of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx

from backend.cloud.catalogue import IMAGES
from backend.dialects.nova.versions import HIGHEST
from backend.store import CloudTransaction
from tests.dialects.support import BASE, Wired, good

ROOT = BASE + "/compute"
DEBIAN = IMAGES[0].id
WEB: Mapping[str, Any] = {"name": "web", "flavorRef": "1", "imageRef": DEBIAN, "networks": "none"}


def version(minor: int | str) -> dict[str, str]:
    return {"OpenStack-API-Version": f"compute {minor if isinstance(minor, str) else f'2.{minor}'}"}


def failed(answer: httpx.Response, status: int, key: str) -> str:
    """The message of a fault, which must be in Nova's shape."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    body = answer.json()
    assert list(body) == [key]
    assert list(body[key]) == ["code", "message"]
    assert body[key]["code"] == status
    message: str = body[key]["message"]
    return message


async def a_boot(
    client: httpx.AsyncClient, *, minor: int = 71, hints: Mapping[str, Any] | None = None, **more: Any
) -> str:
    """The id of a server that is being built."""
    body: dict[str, Any] = {"server": {**WEB, **more}}
    if hints is not None:
        body["os:scheduler_hints"] = hints
    made = good(await client.post("/servers", json=body, headers=version(minor)), 202)
    id: str = made["server"]["id"]
    return id


async def shown(client: httpx.AsyncClient, id: str, minor: int | str = 71) -> dict[str, Any]:
    found: dict[str, Any] = good(await client.get(f"/servers/{id}", headers=version(minor)))["server"]
    return found


async def act(client: httpx.AsyncClient, id: str, action: str, argument: Any = None) -> httpx.Response:
    return await client.post(f"/servers/{id}/action", json={action: argument})


async def a_group(client: httpx.AsyncClient, name: str, policy: str) -> str:
    body = {"server_group": {"name": name, "policy": policy}}
    id: str = good(await client.post("/os-server-groups", json=body, headers=version(71)))["server_group"]["id"]
    return id


async def in_cell(on: Wired, cell: str, client: httpx.AsyncClient, **more: Any) -> str:
    """Booted while the other cells do not answer: where it lies was not asked for."""
    others = [name for name in on.app.cloud.store.cell_names if name != cell]
    for other in others:
        await on.break_cell(other)
    id = await a_boot(client, **more)
    for other in others:
        good(await on.ops.put(f"/cells/{other}/reachability", json={"state": "up"}))
    await on.advance(10)
    return id


async def from_volume(on: Wired, cell: str) -> dict[str, Any]:
    """What boots from a new drive of the tenant's in that cell."""
    body = {"name": "boot", "size_bytes": 2**31, "cell": cell}
    drive = good(await on.tenant_ops.post("/drives", json=body), 201)
    await on.advance(5)
    volume = {"uuid": drive["id"], "source_type": "volume", "destination_type": "volume", "boot_index": 0}
    return {"imageRef": "", "block_device_mapping_v2": [volume]}


async def change_entry(on: Wired, id: str, **changes: Any) -> None:
    def change(tx: CloudTransaction) -> None:
        entry = tx.find_server_entry(id)
        assert entry is not None
        tx.save_server_entry(replace(entry, **changes))

    await on.app.cloud.store.cloud_write(change)


async def the_recorded_cloud(on: Wired) -> dict[str, str]:
    """Six servers of a tenant in the first cell, seven in the second; one of somebody else's in each. Their ids.

    The operator's project is the admin's, and what is somebody else's is in it.
    """
    ids: dict[str, str] = {}
    member = on.tenant_nova
    group = await a_group(member, "db", "soft-anti-affinity")
    ids["up_other"] = await a_boot(on.nova, availability_zone="cell-1")
    ids["down_other"] = await in_cell(on, "cell-2", on.nova)
    of_volume = await from_volume(on, "cell-1")
    for number in range(4):
        hints = {"group": group} if number == 2 else None
        more = of_volume if number == 1 else {}
        ids[f"up_{number}"] = await a_boot(
            member, name=f"up-000{number}", hints=hints, availability_zone="cell-1", **more
        )
        await on.advance(10)
    ids["up_4"] = await a_boot(member, name="up-0004", flavorRef="8", availability_zone="cell-1")
    await on.advance(10)
    ids["up_5"] = await a_boot(member, name="up-0005", availability_zone="cell-1")
    await on.advance(10)
    assert (await act(member, ids["up_3"], "os-stop")).status_code == 202
    await on.advance(20)
    ids["down_plain"] = await in_cell(on, "cell-2", member)
    drive = good(await on.tenant_ops.post("/drives", json={"name": "boot", "size_bytes": 2**31, "cell": "cell-2"}), 201)
    await on.advance(5)
    volume = {"uuid": drive["id"], "source_type": "volume", "destination_type": "volume", "boot_index": 0}
    ids["down_volume"] = await in_cell(on, "cell-2", member, imageRef="", block_device_mapping_v2=[volume])
    ids["down_group"] = await in_cell(on, "cell-2", member, hints={"group": group})
    ids["down_zone"] = await a_boot(member, availability_zone="cell-2")
    await on.advance(10)
    ids["down_nouser"] = await in_cell(on, "cell-2", member)
    ids["down_sixth"] = await in_cell(on, "cell-2", member)
    ids["down_deleting"] = await in_cell(on, "cell-2", member)
    await change_entry(on, ids["down_nouser"], owner="")
    good(await on.nova.get("/os-services"))
    await on.break_cell("cell-2")
    # The last of the deletion's steps is left to the cell.
    await change_entry(on, ids["down_deleting"], state="deleting")
    return ids


# ------------------------------------------------------------------------------------------------------- templates

_PLACEHOLDERS = {
    "<base>": re.escape(ROOT),
    "<id>": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "<project>": r"[0-9a-z]+",
    "<user>": r"[0-9a-z]+",
    "<flavor>": r"[\w.-]+",
    "<zone>": r"cell-\d",
    "<second>": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "<micro>": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}",
    "<highest>": re.escape(str(HIGHEST)),
}


def expect(template: Any, found: Any, at: str = "") -> None:
    """The same keys in the same order, the same values where they are given, and the same shape where not."""
    match template:
        case "<any>":
            return
        case "<text>":
            assert isinstance(found, str), f"{at} is {found!r}"
        case "<number>":
            assert isinstance(found, int), f"{at} is {found!r}"
        case "<list>":
            assert isinstance(found, list), f"{at} is {found!r}"
        case "<object>":
            assert isinstance(found, dict), f"{at} is {found!r}"
        case str():
            assert isinstance(found, str), f"{at} is {found!r}, not {template!r}"
            parts = re.split(r"(<\w+>)", template)
            pattern = "".join(_PLACEHOLDERS.get(part, re.escape(part)) for part in parts)
            assert re.fullmatch(pattern, found), f"{at} is {found!r}, not {template!r}"
        case dict():
            assert isinstance(found, dict), f"{at} is {found!r}"
            assert list(found) == list(template), f"{at} has {list(found)}, not {list(template)}"
            for key, part in template.items():
                expect(part, found[key], f"{at}.{key}")
        case list():
            assert isinstance(found, list), f"{at} is {found!r}"
            assert len(found) == len(template), f"{at} has {len(found)} entries, not {len(template)}: {found}"
            for number, part in enumerate(template):
                expect(part, found[number], f"{at}[{number}]")
        case _:
            assert found == template, f"{at} is {found!r}, not {template!r}"
            assert type(found) is type(template), f"{at} is {found!r}, not {template!r}"
