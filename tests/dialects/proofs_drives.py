"""Proofs about drives, the library, snapshots, jobs and logging in."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from tests.dialects.proofs import Clients, cannot, documented, proves
from tests.dialects.proofs_servers import NO_METHOD, a_disk, a_node, a_running_server, mount

GIB = 2**30

documented(
    "/drives/",
    "GET /drives/",
    "GET /drives/detail/",
    "GET /drives/schema/",
    "POST /drives/",
    "POST /drives/?avoid",
    "DELETE /drives/",
    "GET /drives/availability_groups/",
    "GET /drives/availability_groups/{uuid}/",
    "GET /drives/{uuid}/",
    "PUT /drives/{uuid}/",
    "DELETE /drives/{uuid}/",
    "POST /drives/{uuid}/action/?do=clone",
    "POST /drives/{uuid}/action/?do=clone&avoid",
    "POST /drives/{uuid}/action/?do=resize",
)
documented(
    "/libdrives/",
    "GET /libdrives/",
    "GET /libdrives/detail/",
    "GET /libdrives/schema/",
    "GET /libdrives/{uuid}/",
    "POST /libdrives/{uuid}/action/?do=clone",
)
documented(
    "/snapshots/",
    "GET /snapshots/",
    "GET /snapshots/detail/",
    "GET /snapshots/schema/",
    "POST /snapshots/",
    "DELETE /snapshots/",
    "GET /snapshots/{uuid}/",
    "PUT /snapshots/{uuid}/",
    "DELETE /snapshots/{uuid}/",
    "POST /snapshots/{uuid}/action/?do=clone",
    "POST /snapshots/{uuid}/action/?do=clone&avoid",
)
documented("/jobs/", "GET /jobs/", "GET /jobs/detail/", "GET /jobs/schema/", "GET /jobs/{uuid}/")
documented(
    "/accounts/",
    *(f"POST /accounts/action/?do={action}" for action in ("login", "check_login", "logout")),
)
cannot("cloudsigma", "has no method that deletes several at once", "DELETE /drives/", "DELETE /snapshots/")


@proves("cloudsigma", "Drive.create", "POST /drives/", "POST /drives/?avoid")
def create(on: Clients) -> None:
    resource = on.of("Drive")
    first = resource.create({"name": "disk", "size": str(10**9), "media": "disk"})
    second = resource.create({"name": "disk", "size": GIB, "media": "disk"}, avoid=[first["uuid"]])
    many = resource.create([{"name": f"bulk-{number}", "size": GIB, "media": "disk"} for number in range(5)])

    assert (first["status"], first["size"], len(many)) == ("creating", 1_000_013_824, 5)
    assert second["uuid"] not in resource.c.get(f"/drives/availability_groups/{first['uuid']}/")


@proves("cloudsigma", "Drive.list", "GET /drives/")
def list_(on: Clients) -> None:
    made = a_disk(on)
    found = on.of("Drive").list({"fields": "name,uuid"})

    assert {"name": "disk", "uuid": made["uuid"]} in found


@proves("cloudsigma", "Drive.list_detail", "GET /drives/detail/")
def list_detail(on: Clients) -> None:
    made = a_disk(on)

    assert made["uuid"] in [drive["uuid"] for drive in on.of("Drive").list_detail({"media": "disk"})]


@proves("cloudsigma", "Drive.get_schema", "GET /drives/schema/")
def schema(on: Clients) -> None:
    assert set(on.of("Drive").get_schema()["fields"]) == set(a_disk(on))


@proves("cloudsigma", "GenericClient.get", "GET /drives/availability_groups/")
def groups(on: Clients) -> None:
    made = a_disk(on)
    found = on.of("Drive").c.get("/drives/availability_groups/")

    assert sum(made["uuid"] in group for group in found) == 1


@proves("cloudsigma", "GenericClient.get", "GET /drives/availability_groups/{uuid}/")
def group(on: Clients) -> None:
    made = a_disk(on)

    assert made["uuid"] in on.of("Drive").c.get(f"/drives/availability_groups/{made['uuid']}/")


@proves("cloudsigma", "Drive.get", "GET /drives/{uuid}/")
def get(on: Clients) -> None:
    made = a_disk(on)
    image = on.of("LibDrive").list()[0]

    assert on.of("Drive").get(made["uuid"])["status"] == "unmounted"
    assert on.of("Drive").get(image["uuid"])["owner"] is None


@proves("cloudsigma", "Drive.update", "PUT /drives/{uuid}/")
def update(on: Clients) -> None:
    made = on.of("Drive").get(a_disk(on)["uuid"])
    named = on.of("Drive").update(made["uuid"], {**made, "name": "new", "meta": {"a": "b"}})
    grown = on.of("Drive").update(made["uuid"], {**named, "size": 2 * GIB})
    on.advance()
    later = on.of("Drive").get(made["uuid"])

    assert named == {**made, "name": "new", "meta": {"a": "b"}}
    assert (grown["status"], grown["size"]) == ("resizing", GIB)
    assert later == {**named, "size": 2 * GIB}


@proves("cloudsigma", "Drive.delete", "DELETE /drives/{uuid}/")
def delete(on: Clients) -> None:
    errors = importlib.import_module("cloudsigma.errors")
    made = a_disk(on)
    on.of("Server").create({"name": "x", "cpu": 1000, "mem": GIB, "vnc_password": "x", "drives": [mount(made)]})
    on.of("Drive").delete(made["uuid"])

    with pytest.raises(errors.ClientError) as refusal:
        on.of("Drive").get(made["uuid"])
    assert refusal.value.status_code == 404


@proves(
    "cloudsigma",
    "Drive.clone",
    "POST /drives/{uuid}/action/?do=clone",
    "POST /drives/{uuid}/action/?do=clone&avoid",
)
def clone(on: Clients) -> None:
    made = a_disk(on)
    plain = on.of("Drive").clone(made["uuid"])
    apart = on.of("Drive").clone(made["uuid"], {"name": "apart", "size": 2 * GIB}, avoid=made["uuid"])
    begun = apart["jobs"]
    on.advance()

    assert (plain["status"], apart["name"], apart["size"], len(begun)) == ("cloning_dst", "apart", 2 * GIB, 1)
    assert on.of("Drive").get(apart["uuid"])["jobs"] == []
    assert apart["uuid"] not in on.of("Drive").c.get(f"/drives/availability_groups/{made['uuid']}/")


@proves("cloudsigma", "Drive.resize", "POST /drives/{uuid}/action/?do=resize")
def resize(on: Clients) -> None:
    made = on.of("Drive").get(a_disk(on)["uuid"])
    begun = on.of("Drive").resize(made["uuid"], {**made, "size": 3 * GIB})
    on.advance()

    assert begun["status"] == "resizing"
    assert on.of("Drive").get(made["uuid"])["size"] == 3 * GIB


# ------------------------------------------------------------------------------------------------------------ library


@proves("cloudsigma", "LibDrive.list", "GET /libdrives/")
def library(on: Clients) -> None:
    found = on.of("LibDrive").list({"distribution": "debian"})

    assert [(image["image_type"], image["status"], image["owner"]) for image in found] == [
        ("preinst", "unmounted", None)
    ]


@proves("cloudsigma", "LibDrive.list_detail", "GET /libdrives/detail/")
def library_detail(on: Clients) -> None:
    assert on.of("LibDrive").list_detail() == on.of("LibDrive").list()


@proves("cloudsigma", "LibDrive.get_schema", "GET /libdrives/schema/")
def library_schema(on: Clients) -> None:
    assert set(on.of("LibDrive").get_schema()["fields"]) == set(on.of("LibDrive").list()[0])


@proves("cloudsigma", "LibDrive.get", "GET /libdrives/{uuid}/")
def library_drive(on: Clients) -> None:
    image = on.of("LibDrive").list()[0]

    assert on.of("LibDrive").get(image["uuid"]) == image


@proves("cloudsigma", "LibDrive._action", "POST /libdrives/{uuid}/action/?do=clone")
def clone_of_the_library(on: Clients) -> None:
    image = on.of("LibDrive").list({"distribution": "ubuntu"})[0]
    drive = on.of("LibDrive")._action(image["uuid"], "clone", {"name": "root"})
    on.advance()
    whole = on.of("Drive").get(drive["uuid"])

    assert (drive["status"], whole["status"], whole["name"]) == ("cloning_dst", "unmounted", "root")
    assert (whole["meta"]["distribution"], whole["meta"]["version"]) == ("ubuntu", "24.04")


# ---------------------------------------------------------------------------------------------------------- snapshots


def a_snapshot(on: Clients, **more: Any) -> Any:
    made = on.of("Snapshot").create({"drive": a_disk(on)["uuid"], "name": "before", **more})
    on.advance()
    return made


@proves("cloudsigma", "Snapshot.create", "POST /snapshots/")
def take(on: Clients) -> None:
    disk = a_disk(on)
    made = on.of("Snapshot").create({"drive": disk["uuid"]})

    assert (made["status"], made["allocated_size"]) == ("creating", None)
    assert made["name"].startswith(f"{disk['uuid']}__20")
    assert [each["uuid"] for each in on.of("Drive").get(disk["uuid"])["snapshots"]] == [made["uuid"]]


@proves("cloudsigma", "Snapshot.list", "GET /snapshots/")
def snapshots(on: Clients) -> None:
    made = a_snapshot(on)
    found = on.of("Snapshot").list({"drive": made["drive"]["uuid"]})

    assert found == [{**made, "status": "available", "allocated_size": 0}]


@proves("cloudsigma", "Snapshot.list_detail", "GET /snapshots/detail/")
def snapshots_detail(on: Clients) -> None:
    assert a_snapshot(on)["uuid"] in [each["uuid"] for each in on.of("Snapshot").list_detail()]


@proves("cloudsigma", "Snapshot.get_schema", "GET /snapshots/schema/")
def snapshot_schema(on: Clients) -> None:
    assert set(on.of("Snapshot").get_schema()["fields"]) == set(a_snapshot(on))


@proves("cloudsigma", "Snapshot.get", "GET /snapshots/{uuid}/")
def snapshot(on: Clients) -> None:
    made = a_snapshot(on)

    assert on.of("Snapshot").get(made["uuid"])["status"] == "available"


@proves("cloudsigma", "Snapshot.update", "PUT /snapshots/{uuid}/")
def rename(on: Clients) -> None:
    made = on.of("Snapshot").get(a_snapshot(on)["uuid"])

    assert on.of("Snapshot").update(made["uuid"], {**made, "name": "after"}) == {**made, "name": "after"}


@proves("cloudsigma", "Snapshot.delete", "DELETE /snapshots/{uuid}/")
def drop(on: Clients) -> None:
    made = a_snapshot(on)
    on.of("Snapshot").delete(made["uuid"])

    assert made["uuid"] not in [each["uuid"] for each in on.of("Snapshot").list()]


@proves(
    "cloudsigma",
    "Snapshot.clone",
    "POST /snapshots/{uuid}/action/?do=clone",
    "POST /snapshots/{uuid}/action/?do=clone&avoid",
)
def clone_of_a_snapshot(on: Clients) -> None:
    made = a_snapshot(on)
    plain = on.of("Snapshot").clone(made["uuid"])
    apart = on.of("Snapshot").clone(made["uuid"], {"name": "apart"}, avoid=made["drive"]["uuid"])

    assert (plain["name"], plain["status"], plain["size"]) == ("before", "cloning_dst", GIB)
    assert apart["uuid"] not in on.of("Drive").c.get(f"/drives/availability_groups/{made['drive']['uuid']}/")


# -------------------------------------------------------------------------------------------------- jobs and sessions


@proves("cloudsigma", "Jobs.list", "GET /jobs/")
def jobs(on: Clients) -> None:
    copy = on.of("Drive").clone(a_disk(on)["uuid"])

    found = next(job for job in on.of("Jobs").list() if copy["resource_uri"] in job["resources"])

    assert (found["operation"], found["state"]) == ("drive_clone", "started")


@proves("cloudsigma", "Jobs.list_detail", "GET /jobs/detail/")
def jobs_detail(on: Clients) -> None:
    on.of("Drive").clone(a_disk(on)["uuid"])

    assert on.of("Jobs").list_detail({"state": "started"})


@proves("cloudsigma", "Jobs.get_schema", "GET /jobs/schema/")
def job_schema(on: Clients) -> None:
    on.of("Drive").clone(a_disk(on)["uuid"])

    assert set(on.of("Jobs").get_schema()["fields"]) == set(on.of("Jobs").list()[0])


@proves("cloudsigma", "Jobs.get", "GET /jobs/{uuid}/")
def job(on: Clients) -> None:
    [begun] = on.of("Drive").clone(a_disk(on)["uuid"])["jobs"]
    before = on.of("Jobs").get(begun["uuid"])
    on.advance()
    after = on.of("Jobs").get(begun["uuid"])

    assert (before["data"], after["data"]) == ({"progress": 0}, {"progress": 100})
    assert (before["state"], after["state"]) == ("started", "success")


@proves(
    "cloudsigma",
    "login_method = session",
    "POST /accounts/action/?do=login",
    "POST /accounts/action/?do=check_login",
    "POST /accounts/action/?do=logout",
    "POST /drives/",
)
def session(on: Clients) -> None:
    errors = importlib.import_module("cloudsigma.errors")
    resource = on.sigma.Drive(**on.login, login_method="session")
    made = resource.create({"name": "disk", "size": GIB, "media": "disk"})
    accounts = on.sigma.Accounts(**on.login, login_method="session")

    assert resource.get(made["uuid"])["name"] == "disk"
    assert accounts._action(None, "check_login", {})["email"] == on.login["username"]
    accounts._action(None, "logout", {})
    with pytest.raises(errors.AuthError):
        accounts.c.get("/capabilities/")


# ----------------------------------------------------------------------------------------------------------- libcloud


@proves("libcloud", "ex_create_drive, create_volume", "POST /drives/", "POST /drives/?avoid")
def create_volume(on: Clients) -> None:
    first = on.libcloud.create_volume(name="disk", size=1)
    second = on.libcloud.ex_create_drive(name="disk", size=1, ex_avoid=[first.id])

    assert (first.status, first.size) == ("creating", 1)
    assert sum({first.id, second.id} <= set(group) for group in on.libcloud.ex_list_drives_availability_groups()) == 0


@proves("libcloud", "ex_list_user_drives, list_volumes", "GET /drives/detail/")
def list_volumes(on: Clients) -> None:
    made = a_disk(on)

    assert made["uuid"] in [drive.id for drive in on.libcloud.list_volumes()]
    assert made["uuid"] in [drive.id for drive in on.libcloud.ex_list_user_drives()]


@proves("libcloud", "ex_list_drives_availability_groups", "GET /drives/availability_groups/")
def volume_groups(on: Clients) -> None:
    made = a_disk(on)

    assert sum(made["uuid"] in group for group in on.libcloud.ex_list_drives_availability_groups()) == 1


@proves("libcloud", "ex_get_drive", "GET /drives/{uuid}/")
def get_volume(on: Clients) -> None:
    assert on.libcloud.ex_get_drive(a_disk(on)["uuid"]).status == "unmounted"


@proves("libcloud", "ex_destroy_drive, destroy_volume", "DELETE /drives/{uuid}/")
def destroy_volume(on: Clients) -> None:
    made = on.libcloud.ex_get_drive(a_disk(on)["uuid"])

    assert on.libcloud.destroy_volume(made) is True


@proves(
    "libcloud",
    "ex_clone_drive",
    "POST /drives/{uuid}/action/?do=clone",
    "POST /drives/{uuid}/action/?do=clone&avoid",
)
def clone_volume(on: Clients) -> None:
    made = on.libcloud.ex_get_drive(a_disk(on)["uuid"])
    plain = on.libcloud.ex_clone_drive(made, name="copy")
    apart = on.libcloud.ex_clone_drive(made, name="apart", ex_avoid=[made.id])

    assert (plain.status, plain.name, apart.status) == ("cloning_dst", "copy", "cloning_dst")


@proves("libcloud", "ex_resize_drive", "POST /drives/{uuid}/action/?do=resize")
def resize_volume(on: Clients) -> None:
    made = on.libcloud.ex_get_drive(a_disk(on)["uuid"])

    assert on.libcloud.ex_resize_drive(made, 2).status == "resizing"


@proves("libcloud", "attach_volume, detach_volume", "PUT /servers/{uuid}/")
def attach_volume(on: Clients) -> None:
    node, made = a_node(on), on.libcloud.ex_get_drive(a_disk(on)["uuid"])

    assert on.libcloud.attach_volume(node, made) is True
    assert on.libcloud.ex_get_drive(made.id).status == "mounted"
    assert on.libcloud.detach_volume(node, made) is True


@proves("libcloud", "list_images, ex_list_library_drives", "GET /libdrives/")
def images(on: Clients) -> None:
    assert {image.id for image in on.libcloud.list_images()} == {
        drive.id for drive in on.libcloud.ex_list_library_drives()
    }


@proves("cloudsigma", "Drive.resize (in use)", "POST /drives/")
def resize_in_use(on: Clients) -> None:
    errors = importlib.import_module("cloudsigma.errors")
    made = a_disk(on)
    a_running_server(on, drives=[mount(made)])

    with pytest.raises(errors.PermissionError):
        on.of("Drive").resize(made["uuid"], {"name": "disk", "media": "disk", "size": 2 * GIB})


cannot(
    "libcloud",
    NO_METHOD,
    "GET /drives/",
    "GET /drives/schema/",
    "DELETE /drives/",
    "GET /drives/availability_groups/{uuid}/",
    "PUT /drives/{uuid}/",
    "GET /libdrives/detail/",
    "GET /libdrives/schema/",
    "GET /libdrives/{uuid}/",
    "GET /snapshots/",
    "GET /snapshots/detail/",
    "GET /snapshots/schema/",
    "POST /snapshots/",
    "DELETE /snapshots/",
    "GET /snapshots/{uuid}/",
    "PUT /snapshots/{uuid}/",
    "DELETE /snapshots/{uuid}/",
    "POST /snapshots/{uuid}/action/?do=clone",
    "POST /snapshots/{uuid}/action/?do=clone&avoid",
    "GET /jobs/",
    "GET /jobs/detail/",
    "GET /jobs/schema/",
    "GET /jobs/{uuid}/",
)
cannot("libcloud", "clones library drives at /drives/", "POST /libdrives/{uuid}/action/?do=clone")
cannot(
    "libcloud",
    "sends its password with each request",
    *(f"POST /accounts/action/?do={action}" for action in ("login", "check_login", "logout")),
)
