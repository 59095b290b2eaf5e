"""Avoid lists in every place that takes one: what they do, what has no effect, what is refused, and what is told."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from backend.cloud.model import GIB, Size
from tests.dialects.conftest import Tell
from tests.dialects.sigma import DISK, a_drive, a_running_server, a_server, act, created, error_of, good_list
from tests.dialects.support import Wired, good, refused

ABSENT = "00000000-0000-4000-8000-000000000000"
ONE_CELL = {"cells": ("cell-1",)}

Ask = Callable[[Wired, dict[str, str], list[str]], Awaitable[httpx.Response]]


async def ops_create_server(on: Wired, ids: dict[str, str], avoid: list[str]) -> httpx.Response:
    body = {"name": "new", "cpu_mhz": 2000, "memory_bytes": 2**30, "avoid": avoid}
    return await on.ops.post("/servers", json=body)


async def ops_create_drive(on: Wired, ids: dict[str, str], avoid: list[str]) -> httpx.Response:
    return await on.ops.post("/drives", json={"name": "new", "size_bytes": 2**30, "avoid": avoid})


def ops_act(kind: str, action: str, **more: Any) -> Ask:
    async def ask(on: Wired, ids: dict[str, str], avoid: list[str]) -> httpx.Response:
        body = {"action": action, "avoid": avoid, **more}
        return await on.ops.post(f"/{kind}s/{ids[kind]}/actions", json=body)

    return ask


async def sigma_create_drive(on: Wired, ids: dict[str, str], avoid: list[str]) -> httpx.Response:
    return await on.sigma.post("/drives/", params={"avoid": ",".join(avoid)}, json=DISK)


def sigma_act(kind: str, action: str) -> Ask:
    async def ask(on: Wired, ids: dict[str, str], avoid: list[str]) -> httpx.Response:
        params = {"do": action, "avoid": ",".join(avoid)}
        return await on.sigma.post(f"/{kind}s/{ids[kind]}/action/", params=params)

    return ask


PLACES: dict[str, Ask] = {
    "ops: create a server": ops_create_server,
    "ops: start": ops_act("server", "start"),
    "ops: preview of a start": ops_act("server", "start", preview=True),
    "ops: clone a server": ops_act("server", "clone"),
    "ops: separate": ops_act("server", "separate"),
    "ops: preview of separate": ops_act("server", "separate", preview=True),
    "ops: create a drive": ops_create_drive,
    "ops: clone a drive": ops_act("drive", "clone"),
    "ops: preview of a drive's clone": ops_act("drive", "clone", preview=True),
    "sigma: start": sigma_act("server", "start"),
    "sigma: clone a server": sigma_act("server", "clone"),
    "sigma: create a drive": sigma_create_drive,
    "sigma: clone a drive": sigma_act("drive", "clone"),
}


async def make(on: Wired) -> dict[str, str]:
    """A stopped server with a drive, another that runs, a drive alone, and what the tenant has."""
    server, other = await on.server("db"), await on.running("other")
    mounted, drive = await on.drive("mounted"), await on.drive("data")
    attach = {"action": "attach", "server_id": server["id"]}
    good(await on.ops.post(f"/drives/{mounted['id']}/actions", json=attach), 202)
    hidden = good(
        await on.tenant_ops.post("/servers", json={"name": "theirs", "cpu_mhz": 2000, "memory_bytes": 2**30}), 201
    )
    return {
        "server": server["id"],
        "other": other["id"],
        "mounted": mounted["id"],
        "drive": drive["id"],
        "hidden": hidden["id"],
        "absent": ABSENT,
    }


def plainly(id: str) -> str:
    return id


def without_dashes(id: str) -> str:
    return id.replace("-", "")


HARMLESS: dict[str, tuple[list[str], Callable[[str], str]]] = {
    "nothing": ([], plainly),
    "unknown": (["absent"], str.upper),
    "itself": (["server"], without_dashes),
    "the wrong kind, or not": (["drive", "other"], str.upper),
    "repeated": (["other", "other", "other"], plainly),
    "everything": (["absent", "server", "drive", "hidden", "other", "mounted", "other"], plainly),
    "everything in capitals": (["absent", "server", "drive", "hidden", "other"], str.upper),
    "everything without dashes": (["absent", "server", "drive", "hidden", "other"], without_dashes),
}
"""What is named, and how it is spelled."""


@pytest.mark.parametrize("place", PLACES)
def test_what_is_a_uuid_never_makes_a_request_fail(tell: Tell, place: str) -> None:
    async def story(on: Wired) -> None:
        for words, spell in HARMLESS.values():
            ids = await make(on)
            answer = await PLACES[place](on, ids, [spell(ids[word]) for word in words])
            assert answer.status_code in (200, 201, 202), (words, answer.text)

    tell(story, capacity=Size(64_000, 256 * GIB))


WRONG = {
    "no UUID": (["nobody"], 'its entry 1 is "nobody"'),
    "no UUID behind one": ([ABSENT, "é"], "its entry 2 is"),
    "a NUL": (["\x00"], "its entry 1 is"),
    "very long": (["x" * 200], "its entry 1 is"),
    "too long for one": ([ABSENT + "0"], "its entry 1 is"),
    "dashes where none are": ([ABSENT.replace("-", "", 1)], "its entry 1 is"),
    "in braces": (["{" + ABSENT + "}"], "its entry 1 is"),
    "10,000 of them": ([ABSENT] * 10_000, "at most"),
    "one too many": ([ABSENT] * 1001, "at most"),
}


@pytest.mark.parametrize("place", PLACES)
def test_what_is_no_list_of_uuids_is_refused_at_once_and_changes_nothing(tell: Tell, place: str) -> None:
    async def story(on: Wired) -> None:
        ids = await make(on)
        before = await on.events()
        for name, (avoid, words) in WRONG.items():
            if not place.startswith("ops") and len(avoid) > 1500:
                continue  # more than this client puts into an address
            begun = time.process_time()
            answer = await PLACES[place](on, ids, avoid)
            assert time.process_time() - begun < 1, name
            if place.startswith("ops"):
                error = refused(answer, 400)["error"]
                assert error["field"] == "avoid", name
                assert words in error["message"], name
            else:
                said = error_of(answer, 400)
                assert (said["error_type"], said["error_point"]) == ("validation", "avoid"), name
                assert words in said["error_message"], name
            assert await on.events() == before, name

    tell(story)


@pytest.mark.parametrize("place", PLACES)
def test_the_longest_list_works(tell: Tell, place: str) -> None:
    async def story(on: Wired) -> None:
        ids = await make(on)
        many = [f"00000000-0000-4000-8000-{number:012}" for number in range(999)]
        answer = await PLACES[place](on, ids, [*many, ids["other"]])
        assert answer.status_code in (200, 201, 202), answer.text

    tell(story)


# --- What is told -----------------------------------------------------------------------------------------------------


def fates(row: Any) -> list[tuple[Any, ...]]:
    return [(each["place"], each["name"], each["separated"], each["fate"]) for each in row]


def test_each_entry_of_a_start_is_told_apart_or_why_not(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        first, second = await on.running("web-01"), await on.running("web-02", 8000)
        full = await on.running("full", 10_000)
        stopped, drive = await on.server("stopped"), await on.drive()
        server = await on.server("late", 10_000)
        ids = [first["id"], stopped["id"], drive["id"], server["id"], first["id"], ABSENT, second["id"], full["id"]]
        start = {"action": "start", "avoid": ids}
        path = f"/servers/{server['id']}/actions"
        plan = good(await on.ops.post(path, json={**start, "preview": True}))["plan"]
        begun = good(await on.ops.post(path, json=start), 202)
        assert begun["decision"]["host"] == first["host"]
        assert fates(begun["separation"]) == [
            (1, "web-01", False, "shares"),
            (2, "stopped", True, "nowhere"),
            (3, "disk-01", None, "wrong_kind"),
            (4, "late", None, "itself"),
            (5, "web-01", None, "repeated"),
            (6, None, None, "unknown"),
            (7, "web-02", True, "apart"),
            (8, "full", True, "apart"),
        ]
        assert plan["separation"] == begun["separation"]
        [shared] = begun["separation"][0]["shared"]
        assert shared == {
            "host": first["host"],
            "id": server["id"],
            "name": "late",
            "reason": "no_room",
            "refused": {"short of CPU": 2},
            "nearest": None,
        }
        assert begun["separation"][0]["sentence"] == (
            f"The server shares {first['host']} with web-01: no other host has room (2 short of CPU)."
        )
        placed = good(await on.ops.get(f"/explain/{server['id']}"))["placed"]
        assert placed["separation"] == begun["separation"]

    tell(story, hosts=3, **ONE_CELL)


def test_what_was_short_of_what_is_told_to_staff_only(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        first = await on.running("first", 4000)
        await on.running("full", 15_000)
        server = await on.server("late", 4000)
        start = {"action": "start", "avoid": [first["id"]], "preview": True}
        path = f"/servers/{server['id']}/actions"
        [entry] = good(await on.ops.post(path, json=start))["plan"]["separation"]
        [shared] = entry["shared"]
        nearest = {"host": "c1-h2", "cpu_mhz": 3000, "memory_bytes": 0, "storage_bytes": 0}
        assert (shared["host"], shared["nearest"]) == (first["host"], nearest)
        assert entry["sentence"].endswith("(1 short of CPU); c1-h2 is nearest and lacks 3 GHz.")

        body = {"name": "theirs", "cpu_mhz": 4000, "memory_bytes": 2**30}
        theirs = [good(await on.tenant_ops.post("/servers", json=body), 201)["id"] for _ in range(2)]
        begun = good(await on.tenant_ops.post(f"/servers/{theirs[0]}/actions", json={"action": "start"}), 202)
        start = {"action": "start", "avoid": [first["id"], theirs[0]]}
        late = good(await on.tenant_ops.post(f"/servers/{theirs[1]}/actions", json=start), 202)
        assert fates(late["separation"]) == [(1, None, None, "unknown"), (2, "theirs", False, "shares")]
        [shared] = late["separation"][1]["shared"]
        assert (shared["host"], shared["nearest"]) == (begun["decision"]["host"], None)
        assert "nearest" not in late["separation"][1]["sentence"]

    tell(story, **ONE_CELL)


def test_a_server_that_is_made_says_that_its_list_counts_when_it_is_started(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        first, drive = await on.running("first"), await on.drive()
        made = await on.server("late", avoid=[first["id"], drive["id"], ABSENT])
        assert fates(made["separation"]) == [
            (1, "first", None, "undecided"),
            (2, "disk-01", None, "wrong_kind"),
            (3, None, None, "unknown"),
        ]

    tell(story)


def test_what_a_server_was_made_to_avoid_holds_until_a_start_says_otherwise(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        first = await on.running("first")
        draft = {"name": "late", "cpu_mhz": 2000, "memory_bytes": 2**30, "avoid": [first["id"]]}
        plan = good(await on.ops.post("/servers", json={**draft, "preview": True}))["plan"]
        assert [(each["name"], each["separated"]) for each in plan["separation"]] == [("first", True)]
        late = good(await on.ops.post("/servers", json=draft), 201)
        path = f"/servers/{late['id']}/actions"

        def start(**more: Any) -> dict[str, Any]:
            return {"action": "start", **more}

        shown = good(await on.ops.post(path, json=start(preview=True)))["plan"]
        begun = good(await on.ops.post(path, json=start(plan=shown["token"])), 202)
        assert shown["decision"]["host"] == begun["decision"]["host"] == plan["decision"]["host"] != first["host"]
        assert fates(begun["separation"]) == [(1, "first", True, "apart")]

        async def stopped() -> None:
            await on.advance(60)
            good(await on.ops.post(path, json={"action": "stop"}), 202)
            await on.advance(60)

        await stopped()
        assert good(await on.ops.post(path, json=start(avoid=[])), 202)["separation"] == []
        await stopped()
        assert good(await on.ops.post(path, json=start()), 202)["separation"] == []
        await stopped()
        # CloudSigma's start is told what to avoid each time.
        good(await on.ops.post(path, json=start(avoid=[first["id"]])), 202)
        await stopped()
        await act(on, late["id"], "start")
        assert good(await on.ops.get(f"/servers/{late['id']}"))["avoid"] == []

    tell(story, **ONE_CELL)


def test_each_entry_of_a_drives_list_is_told_when_it_is_made_and_copied(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        first, server, empty = await on.drive("first"), await on.server("db"), await on.server("empty")
        attach = {"action": "attach", "server_id": server["id"]}
        good(await on.ops.post(f"/drives/{first['id']}/actions", json=attach), 202)
        second = await on.drive("second", avoid=[server["id"], empty["id"], ABSENT])
        assert fates(second["separation"]) == [
            (1, "db", True, "apart"),
            (2, "empty", True, "nowhere"),
            (3, None, None, "unknown"),
        ]
        body = {"action": "clone", "avoid": [server["id"], second["id"]]}
        path = f"/drives/{second['id']}/actions"
        plan = good(await on.ops.post(path, json={**body, "preview": True}))["plan"]
        begun = good(await on.ops.post(path, json=body), 202)
        assert begun["drive"]["host"] == second["host"]
        assert fates(begun["separation"]) == [(1, "db", True, "apart"), (2, "second", False, "shares")]
        assert fates(plan["separation"]) == fates(begun["separation"])
        assert begun["separation"][1]["sentence"] == (
            f"second-clone shares {second['host']} with second: every other host with room holds what is further left "
            "in the list."
        )

    tell(story, **ONE_CELL)


def test_what_is_in_a_silent_cell_is_on_another_host(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        far = await on.running("far", cell="cell-2")
        drive = await on.drive("far", cell="cell-2")
        await on.break_cell("cell-2")
        made = await on.drive("near", avoid=[drive["id"], far["id"]])
        assert [(each["fate"], each["separated"]) for each in made["separation"]] == [
            ("unreachable", True),
            ("nowhere", True),
        ]
        server = await on.server("near")
        start = {"action": "start", "avoid": [far["id"]]}
        begun = good(await on.ops.post(f"/servers/{server['id']}/actions", json=start), 202)
        assert [each["fate"] for each in begun["separation"]] == ["unreachable"]

    tell(story)


# --- CloudSigma -------------------------------------------------------------------------------------------------------


def test_the_published_recipe_works_as_published(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await a_drive(on)
        origin = await a_running_server(on, drives=[{"drive": drive["uuid"]}])
        path = f"/servers/{origin['uuid']}/action/"

        clone = good(await on.sigma.post(path, params={"do": "clone", "avoid": origin["uuid"]}), 202)
        assert (clone["name"], clone["status"], clone["cpu"]) == ("web-01-clone", "stopped", origin["cpu"])
        [mount] = clone["drives"]
        assert mount["dev_channel"] == origin["drives"][0]["dev_channel"]
        copy = good(await on.sigma.get(f"/drives/{mount['drive']['uuid']}/"))
        assert copy["status"] == "cloning_dst"
        await on.advance(60)
        await act(on, clone["uuid"], "start", avoid=origin["uuid"])
        await on.advance(10)

        servers = good_list(await on.sigma.get("/servers/availability_groups/"))
        disks = good_list(await on.sigma.get("/drives/availability_groups/"))
        assert sorted(servers) == sorted([[origin["uuid"]], [clone["uuid"]]])
        assert sorted(disks) == sorted([[drive["uuid"]], [copy["uuid"]]])

    tell(story, **ONE_CELL)


def test_a_clones_body_names_it_and_may_ask_for_another_password(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        origin = await a_server(on)
        path = f"/servers/{origin['uuid']}/action/"
        body = {"name": "twin", "random_vnc_password": True}
        twin = good(await on.sigma.post(path, params={"do": "clone"}, json=body), 202)
        plain = good(await on.sigma.post(path, params={"do": "clone"}, json={"name": None}), 202)
        assert (twin["name"], plain["name"]) == ("twin", "web-01-clone")
        assert (twin["vnc_password"] != origin["vnc_password"], plain["vnc_password"]) == (True, origin["vnc_password"])
        for wrong in ({"name": 7}, {"name": "x" * 256}, {"random_vnc_password": "yes"}):
            error_of(await on.sigma.post(path, params={"do": "clone"}, json=wrong), 400)

    tell(story)


def test_a_drive_is_cloned_as_published(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        drive = await a_drive(on)
        path = f"/drives/{drive['uuid']}/action/"
        answer = await on.sigma.post(path, params={"do": "clone", "avoid": drive["uuid"]}, json={"name": "copy"})
        [copy] = good(answer, 202)["objects"]
        assert (copy["name"], copy["status"], copy["size"]) == ("copy", "cloning_dst", drive["size"])
        groups = good_list(await on.sigma.get("/drives/availability_groups/"))
        assert sorted(groups) == sorted([[drive["uuid"]], [copy["uuid"]]])
        for params, body in (
            ({"do": "clone"}, {"size": 2**29}),
            ({"do": "clone"}, {"media": "tape"}),
            ({"do": "clone"}, []),
            ({"do": "explode"}, {}),
            ({}, {}),
        ):
            error_of(await on.sigma.post(path, params=params, json=body), 400)

    tell(story, **ONE_CELL)


def test_a_backfilling_server_is_cloned_under_its_own_path_too(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        spare = created(await on.sigma.post("/bservers/", json={"name": "render", "cpu": 1000, "mem": 2**30,
                                                                "vnc_password": "secret"}))  # fmt: skip
        normal = await a_server(on)
        clone = good(await on.sigma.post(f"/bservers/{spare['uuid']}/action/", params={"do": "clone"}), 202)
        assert clone["is_grey"] is True
        error_of(await on.sigma.post(f"/bservers/{normal['uuid']}/action/", params={"do": "clone"}), 404)

    tell(story)
