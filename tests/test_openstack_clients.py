"""`openstack` and openstacksdk, unmodified, on a served backend: who one is, and what images there are."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.cloud.catalogue import IMAGES
from backend.seed import MANAGER, OPERATOR, OWNER, PROJECTS, TENANT
from tests.openstack_clients import CommandLine, command_line, sdk
from tests.served import Served, served

# openstacksdk warns of what it does itself: of its own arguments, and of statistics that nobody has asked for.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:openstack.*"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning:openstack.*"),
]

NAMES = sorted(image.name for image in IMAGES)


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("cloud") / "data", "--cloud", "empty", "--clock", "manual") as found:
        yield found


# The command line


def test_the_command_line_logs_in_and_sees_projects_images_and_services(
    on: Served, openstack_process: subprocess.Popen[str]
) -> None:
    cli = command_line(openstack_process, on, OPERATOR)

    token = cli("token", "issue")
    projects = {row["Name"]: row["ID"] for row in cli("project", "list")}
    images = cli("image", "list")

    assert sorted(projects) == sorted(PROJECTS)
    assert token["project_id"] == projects["operations"]
    assert "-" not in token["project_id"] + token["user_id"]
    assert sorted(row["Name"] for row in images) == NAMES
    assert {row["Status"] for row in images} == {"active"}
    assert {row["Type"] for row in cli("catalog", "list")} == {"compute", "identity", "image"}
    shown = [cli("image", "show", which) for which in ("debian-12", next(i.id for i in IMAGES if i.os == "debian"))]
    assert shown[0] == shown[1]
    assert shown[0]["properties"]["os_distro"] == "debian"
    assert cli("project", "show", "shop")["id"] == projects["shop"]
    assert cli("user", "show", TENANT)["default_project_id"] == projects["shop"]
    assert sorted(row["Name"] for row in cli("user", "list")) == sorted([OPERATOR, TENANT, OWNER, MANAGER])


@pytest.mark.parametrize("account", [TENANT, OWNER, MANAGER])
def test_whoever_is_not_staff_sees_the_same_images_and_its_own_projects(
    on: Served, openstack_process: subprocess.Popen[str], account: str
) -> None:
    cli = command_line(openstack_process, on, account)

    assert "shop" in [row["Name"] for row in cli("project", "list")]
    assert "ledger" not in [row["Name"] for row in cli("project", "list")]
    assert sorted(row["Name"] for row in cli("image", "list", "--public")) == NAMES
    assert "only staff may" in cli.refused("user", "list")


def test_the_command_line_says_why_it_is_refused(on: Served, openstack_process: subprocess.Popen[str]) -> None:
    cli = command_line(openstack_process, on, TENANT)
    wrong = CommandLine(openstack_process, {**cli.environment, "OS_PASSWORD": "wrong"})
    elsewhere = CommandLine(openstack_process, {**cli.environment, "OS_PROJECT_NAME": "operations"})
    for_domain = {name: value for name, value in cli.environment.items() if not name.startswith("OS_PROJECT")}

    assert "requires authentication. (HTTP 401)" in wrong.refused("token", "issue")
    assert "has no role in the project" in elsewhere.refused("token", "issue")
    assert "gives no token for a domain" in CommandLine(
        openstack_process, for_domain | {"OS_DOMAIN_NAME": "Default"}
    ).refused("token", "issue")
    assert "protected" in cli.refused("image", "delete", "debian-12")
    assert "No Image found for nothing" in cli.refused("image", "show", "nothing")


def test_a_token_can_be_used_in_place_of_the_password_until_it_is_revoked(
    on: Served, openstack_process: subprocess.Popen[str]
) -> None:
    cli = command_line(openstack_process, on, TENANT)
    token = cli("token", "issue")["id"]
    names = ("OS_AUTH_URL", "OS_PROJECT_NAME", "OS_PROJECT_DOMAIN_NAME", "OS_IDENTITY_API_VERSION", "OS_REGION_NAME")
    by_token = CommandLine(
        openstack_process,
        {name: cli.environment[name] for name in names} | {"OS_AUTH_TYPE": "token", "OS_TOKEN": token},
    )

    assert sorted(row["Name"] for row in by_token("image", "list")) == NAMES
    assert cli.run("token", "revoke", token).status == 0
    assert "HTTP 401" in by_token.refused("image", "list")


# The library


def test_the_sdk_logs_in_by_the_printed_file_and_pages_through_images(
    on: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openstack import exceptions

    with sdk(on, OPERATOR, tmp_path, monkeypatch) as connection:
        project = connection.current_project

        assert project.name == "operations"
        identity: Any = connection.identity
        assert identity.get_project(project.id).name == "operations"
        assert sorted(each.name for each in identity.projects()) == sorted(PROJECTS)
        assert sorted(each.name for each in connection.list_projects()) == sorted(PROJECTS)
        assert [each.id for each in connection.image.images()] == [image.id for image in IMAGES]
        assert [each.id for each in connection.image.images(limit=2)] == [image.id for image in IMAGES]
        assert [each.name for each in connection.image.images(name="rocky-9")] == ["rocky-9"]
        found = connection.image.find_image("alpine-3.20", ignore_missing=False)
        assert (found.status, found.visibility, found.min_disk) == ("active", "public", 1)
        image: Any = connection.get_image("cirros-0.6")
        assert image.os_distro == "cirros"
        with pytest.raises(exceptions.ForbiddenException, match="protected"):
            connection.image.delete_image(found.id)


def test_the_sdk_asks_for_another_token_when_its_own_was_revoked(
    on: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sdk(on, TENANT, tmp_path, monkeypatch) as connection:
        first = connection.auth_token
        headers = {"X-Auth-Token": first, "X-Subject-Token": first}
        revoked = connection.session.delete(f"{on.url}/identity/v3/auth/tokens", headers=headers, authenticated=False)

        assert revoked.status_code == 204
        assert [each.name for each in connection.image.images(name="rocky-9")] == ["rocky-9"]
        assert connection.auth_token != first
