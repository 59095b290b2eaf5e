"""The client's requests about interfaces, snapshots, limits and sizes, answered by the backend itself."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from console.client import ClientError, CloudClient
from tests.dialects.support import BASE, Wired, wired

GIB = 2**30


def test_what_is_asked_of_the_backend_comes_back_as_records(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        headers = {"Authorization": "Bearer operator-token"}
        transport = httpx.ASGITransport(app=on.app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers) as http:
            client = CloudClient(http)
            limits = await client.limits()
            assert (limits.cpu_mhz.least, limits.drive_bytes.least) == (250, GIB // 2)

            fields = {"name": "web", "cpu_mhz": 2_000, "memory_bytes": GIB}
            plan = await client.preview_creation(fields)
            assert (plan.action, plan.decision is not None) == ("create", True)
            server = await client.create_server(fields)
            assert (await client.limits(server.project_id)).storage_bytes_left == limits.storage_bytes_left

            choices = await client.network_choices(server.id)
            static = {"configuration": "static", "address": choices.addresses[0]}
            (nic,) = await client.attach_nic(server.id, static)
            assert (nic.configuration, nic.address) == ("static", choices.addresses[0])
            assert (await client.server(server.id)).nics == (nic,)
            assert await client.detach_nic(server.id, nic.mac) == ()

            image = (await client.images())[0]
            drive = await client.create_drive({"name": "boot", "size_bytes": image.size_bytes, "image": image.id})
            await on.advance(600)
            taken = await client.take_snapshot(drive.id, {"name": "one", "tags": ["a\u202eb"]})
            assert (taken.is_whole, taken.size_bytes, taken.tags) == (False, image.size_bytes, ("a·b",))
            await on.advance(60)
            (snapshot,) = (await client.drive(drive.id)).snapshots
            assert snapshot == taken._replace(is_whole=True)
            copied = await client.act_on_snapshot(snapshot.id, "clone", name="copy", avoid=[drive.id])
            assert copied.drive is not None
            assert copied.drive.name == "copy"
            await client.act_on_snapshot(snapshot.id, "delete", if_version=snapshot.version)
            with pytest.raises(ClientError, match="snapshot"):
                await client.act_on_snapshot(snapshot.id, "delete")

    wired(tmp_path / "data", story)
