"""The whole way in: a served cloud, the `clouds.yaml` that it prints, keystoneauth's own tokens, the console's port."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from backend.seed import OPERATOR
from console import openstack_env
from console.openstack import open_cloud
from console.port import ClientError
from tests.console.fakes import ManualClock
from tests.served import served

FLEET = """
[[cells]]
name = "cell-1"
[[cells.hosts]]
name = "h1"
kind = "compute"
cpu_mhz = 80000
memory_bytes = 137438953472
"""


def test_a_served_cloud_opens_by_its_own_clouds_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    (tmp_path / "fleet.toml").write_text(FLEET)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))

    with served(tmp_path / "data", "--cloud", str(tmp_path / "fleet.toml"), "--clock", "manual") as on:
        with on.client(OPERATOR) as ops:
            body = {"name": "web-01", "cpu_mhz": 4000, "memory_bytes": 2**32}
            id = ops.post("/servers", json=body).json()["id"]
        login = openstack_env.Login(f"{on.url}/identity/v3", OPERATOR, on.secret(OPERATOR, "password"), "operations")
        (tmp_path / "clouds.yaml").write_text("\n".join(openstack_env.clouds_yaml(login)))

        async def tell() -> None:
            client = await open_cloud(openstack_env.CLOUD_NAME, requests_max=60, wall_now=ManualClock())()
            hello = await client.hello()
            assert (hello.kind, hello.version) == (openstack_env.CLOUD_NAME, "Nova 2.71")
            (row,) = (await client.servers_page()).servers
            assert (row.id, row.name, row.state, row.cpu_mhz) == (id, "web-01", "stopped", 4000)
            await client.act("server", id, "start")
            on.process.terminate()
            on.process.wait(15)
            with pytest.raises(ClientError) as problem:
                await client.changes("look")
            assert problem.value.is_offline
            await client.close()

        asyncio.run(tell())
