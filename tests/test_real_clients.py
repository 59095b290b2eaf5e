"""The served backend, driven by clients that other people wrote, unmodified; and killed under them."""

from __future__ import annotations

import importlib
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.seed import OPERATOR, TENANT
from tests.served import Served, served

GIB = 2**30


def cloudsigma_of(on: Served, account: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The `cloudsigma` package with its own config file, imported anew: it reads the file at import."""
    config = tmp_path / f"{account}.conf"
    config.write_text(
        f"api_endpoint = {on.url}/api/2.0/\nws_endpoint = ws://127.0.0.1:1/websocket\n"
        f"username = {account}\npassword = {on.secret(account, 'password')}\nlogin_method = basic\n"
    )
    monkeypatch.setenv("CLOUDSIGMA_CONFIG", str(config))
    for name in [name for name in sys.modules if name.startswith("cloudsigma")]:
        del sys.modules[name]
    return importlib.import_module("cloudsigma.resource")


@pytest.mark.filterwarnings("ignore")
def test_the_cloudsigma_client_creates_starts_and_stops_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path / "data", "--cloud", "empty", "--clock", "manual") as on, on.client(OPERATOR) as ops:

        def advance(seconds: int) -> None:
            assert ops.post("/clock/advance", json={"seconds": seconds}).status_code == 200

        sigma = cloudsigma_of(on, OPERATOR, tmp_path, monkeypatch)
        body = {"name": "web", "cpu": 2000, "mem": GIB, "vnc_password": "secret"}
        first = sigma.Server().create({**body, "name": "web-01"})
        spare = sigma.BServer().create({**body, "name": "render-01"})
        drive = sigma.Drive().create({"name": "disk", "size": 10 * GIB, "media": "disk"})
        assert drive["status"] == "creating"
        advance(5)
        assert sigma.Drive().get(drive["uuid"])["status"] == "unmounted"

        sigma.Server().start(first["uuid"])
        sigma.BServer().start(spare["uuid"])
        advance(8)

        running = sigma.Server().get(spare["uuid"])
        assert running["status"] == "running"
        assert running["runtime"]["perf_factor"] == {"cpu": 1.0, "mem": 1.0}
        assert [each["uuid"] for each in sigma.BServer().list()] == [spare["uuid"]]
        assert sorted(map(len, sigma.ServersAvailabilityGroups().list())) in ([1, 1], [2])
        assert set(sigma.Capabilites().list()["free_resources"]) == {
            "total",
            "most_free_by_cpu",
            "most_free_by_memory",
        }
        sigma.Server().stop(first["uuid"])
        advance(2)
        sigma.Server().delete(first["uuid"])
        assert [each["uuid"] for each in sigma.Server().list()] == [spare["uuid"]]


@pytest.mark.filterwarnings("ignore")
def test_the_cloudsigma_client_makes_a_redundant_server_by_the_published_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path / "data", "--cloud", "empty", "--clock", "manual") as on, on.client(OPERATOR) as ops:

        def advance(seconds: int) -> None:
            assert ops.post("/clock/advance", json={"seconds": seconds}).status_code == 200

        sigma = cloudsigma_of(on, OPERATOR, tmp_path, monkeypatch)
        disk = sigma.Drive().create({"name": "disk", "size": 10 * GIB, "media": "disk"})
        advance(5)
        mounts = [{"boot_order": 1, "dev_channel": "0:0", "device": "virtio", "drive": disk["uuid"]}]
        body = {"name": "origin", "cpu": 2000, "mem": GIB, "vnc_password": "secret", "drives": mounts}
        origin = sigma.Server().create(body)
        sigma.Server().start(origin["uuid"])
        advance(8)

        clone = sigma.Server().clone(origin["uuid"], {"name": "clone"}, avoid=origin["uuid"])
        [mount] = clone["drives"]
        assert sigma.Drive().get(mount["drive"]["uuid"])["status"] == "cloning_dst"
        advance(60)
        sigma.Server()._action(clone["uuid"], "start", {}, query_params={"avoid": origin["uuid"]})
        advance(8)
        third = sigma.Drive().clone(disk["uuid"], {"name": "third"}, avoid=[disk["uuid"], clone["uuid"]])

        assert sigma.Drive().get(mount["drive"]["uuid"])["status"] == "mounted"
        assert sorted(map(len, sigma.ServersAvailabilityGroups().list())) == [1, 1]
        assert third["status"] == "cloning_dst"


@pytest.mark.filterwarnings("ignore")
def test_without_the_right_backfilling_is_forbidden_and_not_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path / "data", "--cloud", "empty", "--clock", "manual") as on:
        sigma = cloudsigma_of(on, TENANT, tmp_path, monkeypatch)
        errors = importlib.import_module("cloudsigma.errors")

        capabilities = sigma.Capabilites().list()
        with pytest.raises(errors.PermissionError):
            sigma.BServer().list()

        assert capabilities["backfilling"] is False
        assert "free_resources" not in capabilities


def test_nothing_acknowledged_is_gone_after_a_kill_in_the_middle_of_work(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    acknowledged: list[str] = []
    enough = threading.Event()
    with served(folder, "--cloud", "empty") as on:

        def work(worker: int) -> None:
            with on.client(OPERATOR) as ops:
                for number in range(1000):
                    body = {"name": f"w{worker}-{number}", "cpu_mhz": 1000, "memory_bytes": GIB}
                    try:
                        answer = ops.post("/servers", json=body)
                    except httpx.HTTPError:
                        return
                    if answer.status_code == 201:
                        acknowledged.append(answer.json()["id"])
                    if len(acknowledged) >= 40:
                        enough.set()

        workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for worker in workers:
            worker.start()
        assert enough.wait(60)
        on.kill()
        for worker in workers:
            worker.join()
    with served(folder) as on, on.client(OPERATOR) as ops:
        listed = ops.get("/servers", params={"limit": 1000}).json()

    assert set(acknowledged) <= {server["id"] for server in listed["servers"]}
    assert listed["total"] == len(listed["servers"]), "nothing is half-made"
