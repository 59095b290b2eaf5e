"""Who one is at an OpenStack: `clouds.yaml` as every client reads it, tokens by keystoneauth, and what goes wrong."""

from __future__ import annotations

import asyncio
import io
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from console.cli import main
from console.openstack import open_cloud
from console.openstack.login import CloudProblem, KeystoneLogin, login_of
from console.port import ClientError
from tests.console.fakes import ManualClock

CLOUDS = """
clouds:
  here:
    auth:
      auth_url: "http://keystone.example.org/v3"
      username: "ops"
      password: "secret"
      project_name: "web"
      user_domain_name: "Default"
      project_domain_name: "Default"
    region_name: "RegionOne"
  fixed:
    auth_type: admin_token
    auth: {endpoint: "http://nova.example.org/v2.1", token: "t"}
  lax:
    verify: false
    auth: {auth_url: "http://keystone.example.org/v3", username: o, password: s, project_name: w}
  strict:
    cacert: /nowhere/ca.pem
    auth: {auth_url: "http://keystone.example.org/v3", username: o, password: s, project_name: w}
"""


@pytest.fixture(autouse=True)
def own_clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    path = tmp_path / "clouds.yaml"
    path.write_text(CLOUDS)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))


class Keystone(requests.adapters.BaseAdapter):
    """An identity service behind the library's own session: each token is a new one."""

    def __init__(self, *, status: int = 201, catalog: bool = True) -> None:
        super().__init__()
        self.issued = 0
        self.asked = 0
        self.status = status
        self._catalog = catalog

    def close(self) -> None:
        return

    def send(self, request: Any, *_args: Any, **_more: Any) -> requests.Response:
        self.asked += 1
        if request.method == "GET":
            version = {
                "id": "v3.14",
                "status": "stable",
                "links": [{"rel": "self", "href": "http://keystone.example.org/v3"}],
            }
            return self._response(request, 200, {"version": version}, {})
        if self.status != 201:
            return self._response(request, self.status, {"error": {"code": self.status, "message": "no"}}, {})
        self.issued += 1
        token: dict[str, Any] = {
            "methods": ["password"], "expires_at": "2099-01-01T00:00:00.000000Z", "issued_at": "2026-01-01T00:00:00Z",
            "user": {"id": "user-id", "name": "ops", "domain": {"id": "default", "name": "Default"}},
            "project": {"id": "web-id", "name": "web", "domain": {"id": "default", "name": "Default"}},
            "roles": [], "catalog": self.catalog() if self._catalog else [],
        }  # fmt: skip
        return self._response(request, 201, {"token": token}, {"X-Subject-Token": f"token-{self.issued}"})

    @staticmethod
    def catalog() -> list[dict[str, Any]]:
        return [
            {"type": kind, "id": kind, "name": name, "endpoints": [
                {"id": kind, "interface": "public", "region": "RegionOne", "region_id": "RegionOne", "url": url}]}
            for kind, name, url in (("compute", "nova", "http://nova.example.org/v2.1/"),
                                    ("image", "glance", "http://glance.example.org"))
        ]  # fmt: skip

    def _response(self, request: Any, status: int, body: Any, headers: Mapping[str, str]) -> requests.Response:
        response = requests.Response()
        response.status_code, response.request, response.url = status, request, request.url
        response.headers.update({"Content-Type": "application/json", **headers})
        response.raw = io.BytesIO(json.dumps(body).encode())
        return response


def a_login(keystone: Keystone) -> KeystoneLogin:
    login = login_of("here")
    inner = requests.Session()
    inner.mount("http://", keystone)
    login._session.session = inner
    return login


def test_access_is_what_the_catalog_says_and_the_token_is_kept() -> None:
    keystone = Keystone()
    login = a_login(keystone)

    async def tell() -> None:
        first, again = await login.access(), await login.access()

        assert first == again
        assert keystone.issued == 1
        assert first.token == "token-1"
        assert (first.compute_url, first.image_url) == ("http://nova.example.org/v2.1", "http://glance.example.org")
        assert (first.user, first.project, first.project_id) == ("ops", "web", "web-id")
        assert (login.name, login.place) == ("here", "http://keystone.example.org/v3|RegionOne|web")

    asyncio.run(tell())


def test_a_token_that_was_refused_is_not_given_again_however_many_find_out_at_once() -> None:
    keystone = Keystone()
    login = a_login(keystone)

    async def tell() -> None:
        first = await login.access()
        found = await asyncio.gather(*(login.access(refused=first.token) for _ in range(5)))

        assert {access.token for access in found} == {"token-2"}
        assert keystone.issued == 2

    asyncio.run(tell())


def test_credentials_that_are_refused_are_not_tried_again_unless_somebody_asks() -> None:
    keystone = Keystone(status=401)
    login = a_login(keystone)

    async def tell() -> None:
        for _ in range(5):
            with pytest.raises(ClientError, match="refuses the credentials of here") as problem:
                await login.access()
            assert not problem.value.is_offline
        asked = keystone.asked
        assert asked <= 2, "who goes on trying is locked out"

        login.try_again()
        keystone.status = 201
        assert (await login.access()).token == "token-1"

    asyncio.run(tell())


def test_a_project_without_a_compute_service_is_a_sentence() -> None:
    login = a_login(Keystone(catalog=False))

    with pytest.raises(ClientError, match="here names no compute service to this project"):
        asyncio.run(login.access())


def test_an_identity_service_that_does_not_answer_is_an_outage_and_not_a_refusal() -> None:
    class Silent(Keystone):
        def send(self, request: Any, *_args: Any, **_more: Any) -> requests.Response:
            raise requests.ConnectionError("refused")

    login = a_login(Silent())

    with pytest.raises(ClientError, match="the identity service of here does not answer") as problem:
        asyncio.run(login.access())
    assert problem.value.is_offline


def test_an_admin_token_needs_no_identity_service() -> None:
    access = asyncio.run(login_of("fixed").access())

    assert (access.token, access.compute_url) == ("t", "http://nova.example.org/v2.1")


def test_what_is_trusted_is_what_the_file_says() -> None:
    assert isinstance(login_of("here").verify(), ssl.SSLContext)
    assert login_of("lax").verify() is False
    with pytest.raises(CloudProblem, match="The certificates of strict cannot be read"):
        login_of("strict").verify()


def test_a_cloud_that_is_not_in_the_file_is_a_sentence() -> None:
    with pytest.raises(CloudProblem, match=r"clouds\.yaml: Cloud nope was not found"):
        login_of("nope")


def test_the_way_in_asks_for_nothing_and_gives_one_client() -> None:
    factory = open_cloud("here", requests_max=30, wall_now=ManualClock())

    async def tell() -> None:
        assert await factory() is await factory()
        await (await factory()).close()

    asyncio.run(tell())


# ----------------------------------------------------------------------------------------------------- the command line


def refusal(*words: str) -> str:
    done = CliRunner().invoke(main, list(words))
    assert done.exit_code == 2, done.output
    return done.output


def test_an_unknown_cloud_ends_with_status_2() -> None:
    assert "stratodeck: clouds.yaml: Cloud nope was not found." in refusal("--os-cloud", "nope")


def test_a_known_cloud_needs_a_terminal() -> None:
    assert "The console needs a terminal" in refusal("--os-cloud", "here")


@pytest.mark.parametrize("other", [("--url", "http://x"), ("--token", "t"), ("--listen", "0"), ("--cloud", "empty")])
def test_it_goes_with_no_other_cloud(other: tuple[str, str]) -> None:
    assert "--os-cloud opens a cloud of clouds.yaml" in refusal("--os-cloud", "here", *other)


def test_it_is_the_consoles_and_no_commands() -> None:
    assert "--os-cloud is the console's" in refusal("--os-cloud", "here", "settings")
    told = refusal("--os-cloud", "here", "cell", "down")
    assert "--os-cloud is the console's only: `cell` is not for an OpenStack" in " ".join(told.split())


def test_without_the_extra_a_sentence_says_what_to_install(tmp_path: Path) -> None:
    """A folder before all others in which the libraries are not to be had."""
    for name in ("openstack", "keystoneauth1"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('{name}')")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])}

    done = subprocess.run(
        [sys.executable, "-m", "console", "--os-cloud", "here"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )

    assert done.returncode == 2
    assert "pip install 'stratodeck[openstack]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
