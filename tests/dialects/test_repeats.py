"""A request that is repeated with its Idempotency-Key is carried out once, also where a kill lost the first answer.

What was done is remembered in the transaction that does it. Each write of `/ops/v1` is listed here with the place in
the operations that remembers it, so that a new one cannot be forgotten; it is killed after each of its writes, and
asked for again.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from backend.app import App
from backend.cloud.catalogue import FLAVORS, IMAGES
from backend.cloud.model import GIB
from backend.dialects import ops
from backend.operations import backups, cells, schedules, snapshots
from tests.backend import crashing
from tests.backend.crash_judging import made
from tests.backend.crash_stories import STORAGE_ABROAD, drive, server
from tests.backend.crashing import Counted, assert_whole, copied, difference, failing_store, holds, latest
from tests.backend.killed import Ended, lived
from tests.backend.support import Harness, opened
from tests.dialects.support import BASE, keys

Request = tuple[str, str, Mapping[str, Any]]
TASK_NUMBER = re.compile(r'"id": [0-9]+, ')


@dataclass(frozen=True, slots=True)
class Case:
    method: str
    path: str
    """With the names of objects where their ids belong."""
    kept: str
    """The place in the operations whose transaction remembers the request."""
    body: Mapping[str, Any] = field(default_factory=dict)
    before: tuple[Request, ...] = ()
    """What is asked for first."""
    told_again: tuple[str, ...] = ()
    """The events that tell that it was undone, and of its beginning, which there are more of then."""

    @property
    def request(self) -> Request:
        return self.method, self.path, self.body

    def __str__(self) -> str:
        return " ".join([self.method, self.path, str(self.body.get("action", ""))]).strip()


def act(path: str, action: str, kept: str, *before: Request, **body: Any) -> Case:
    return Case("POST", f"{path}/actions", kept, {"action": action, **body}, before)


def acting(path: str, action: str) -> Request:
    return "POST", f"{path}/actions", {"action": action}


CASES = [
    Case("POST", "/servers", "servers.create_server 1", {"name": "new", "cpu_mhz": 2000, "memory_bytes": GIB}),
    act("/servers/{web}", "start", "servers.start_server 1"),
    act("/servers/{db}", "stop", "servers.stop_server 1"),
    act("/servers/{db}", "shutdown", "servers.stop_server 1"),
    act("/servers/{web}", "edit", "editing.edit_server 1", name="renamed"),
    act("/servers/{web}", "delete", "servers.delete_server 1", with_drives=True),
    act("/servers/{web}", "clone", "server_clones.clone_server 1"),
    act("/servers/{web}", "separate", "server_clones.clone_server 1"),
    act("/servers/{web}", "resize", "editing.edit_server 3", memory_bytes=8 * GIB),
    Case("POST", "/servers/{bare}/nics", "interfaces._rewire 1", {"configuration": "dhcp"}),
    Case("DELETE", "/servers/{bare}/nics/{mac}", "interfaces._rewire 1"),
    Case("POST", "/drives", "drives.create_drive 1", {"name": "new", "size_bytes": GIB}),
    Case(
        "POST",
        "/drives",
        "library.clone_image 1",
        {"name": "new", "size_bytes": IMAGES[0].size_bytes, "image": IMAGES[0].id},
    ),
    act("/drives/{loose}", "attach", "drives.attach_drive 1", server_id="{bare}"),
    act("/drives/{web-far}", "detach", "drives.detach_drive 1"),
    act("/drives/{loose}", "edit", "editing.edit_drive 1", name="renamed"),
    act("/drives/{loose}", "delete", "drives._delete 1"),
    act("/drives/{loose}", "clone", "clones.clone_drive 1"),
    act("/drives/{loose}", "resize", "resizing.resize_drive 2", size_bytes=2 * GIB),
    Case("POST", "/drives/{loose}/snapshots", "snapshots.create_snapshots 1", {"name": "another"}),
    act("/snapshots/{shot}", "edit", "snapshots.edit_snapshot 1", name="renamed"),
    act("/snapshots/{shot}", "delete", "snapshots.delete_snapshot 1"),
    act("/snapshots/{shot}", "clone", "clones.clone_drive 1"),
    Case("PUT", "/cells/cell-2/reachability", "fleet", {"state": "down"}),
    act("/cells/cell-2", "down", "fleet"),
    act("/cells/cell-2", "hung", "fleet"),
    act("/cells/cell-2", "up", "fleet", acting("/cells/cell-2", "down")),
    act(f"/hosts/{STORAGE_ABROAD}", "fail", "losses.fail_host 1"),
    act("/hosts/c1-h2", "recover", "losses.recover_host 1", acting("/hosts/c1-h2", "fail")),
    act("/hosts/c1-h1", "drain", "drains.drain_host 1"),
    act("/hosts/c1-h1", "evacuate", "drains.evacuate_host 1", acting("/hosts/c1-h1", "drain")),
    act("/groups/pair", "restore", "restorations.begin 1"),
    act("/groups/pair", "end", "restorations.end 1", acting("/groups/pair", "restore")),
    Case("POST", "/backups", "backups.create_backup 1", {"source_id": "{bare}"}),
    Case(
        "POST",
        "/backups/{backup}/actions",
        "backup_restores._carry_out 1",
        {"action": "restore", "flavor": FLAVORS[1].id},
        told_again=("backup.restoring", "backup.restore_failed"),
    ),
    act("/backups/{backup}", "delete", "backups.delete_backup 1"),
    Case("POST", "/schedules", "schedules.create_schedule 1", {"source_id": "{bare}", "cron": "@daily"}),
    Case("PATCH", "/schedules/{schedule}", "schedules.change_schedule 1", {"backups_max": 3}),
    act("/schedules/{schedule}", "activate", "schedules.set_active 1", acting("/schedules/{schedule}", "deactivate")),
    act("/schedules/{schedule}", "deactivate", "schedules.set_active 1"),
    act("/schedules/{schedule}", "run", "schedule_runs.run_now 1"),
    act("/schedules/{schedule}", "drill", "schedule_runs.drill_now 1"),
    act("/schedules/{schedule}", "delete", "schedules.delete_schedule 1"),
    Case("PATCH", "/clock", "engine.Engine.save_clock 1", {"mode": "manual"}),
    Case("POST", "/clock/advance", "engine.Engine.advance 1", {"seconds": 45}),
    Case("PATCH", "/accounts/tenant@example.org", "accounts.allow_backfilling 1", {"may_backfill": True}),
    Case("PUT", "/accounts/tenant@example.org/state", "profiles.set_account_state 1", {"state": "TRIAL"}),
    Case("PUT", "/accounts/tenant@example.org/balance", "billing.give_balance 1", {"balance": "100.00"}),
    Case(
        "POST",
        "/billing/subscriptions",
        "subscriptions._buy 1",
        {"account": "tenant@example.org", "resource": "cpu", "amount": 1000, "period": "1 month"},
    ),
    Case("PATCH", "/settings", "settings.change_settings 1", {"rate_limits": True}),
]
CHANGE_NOTHING = {"POST /cells/{name}/ask", "POST /preview/placement"}


def test_no_write_is_forgotten() -> None:
    """A new one fails here until it is listed, and so killed and asked for again."""
    wanted = {
        f"{endpoint.method} {endpoint.path} {action}".strip()
        for endpoint in ops.TABLE
        if endpoint.method != "GET"
        for action in _actions(endpoint.body)
    }
    assert {_route_of(case) for case in CASES} == wanted - CHANGE_NOTHING


def _actions(body: Any) -> tuple[str, ...]:
    field = body.model_fields.get("action")
    return ("",) if field is None else get_args(field.annotation)


def _route_of(case: Case) -> str:
    """As the table has it."""
    parts = case.path.split("/")
    for endpoint in ops.TABLE:
        known = endpoint.path.split("/")
        fits = len(parts) == len(known) and all(a.startswith("{") or a == b for a, b in zip(known, parts, strict=True))
        if fits and endpoint.method == case.method:
            return f"{endpoint.method} {endpoint.path} {case.body.get('action', '')}".strip()
    raise AssertionError(f"there is no route for {case}")


# --- a cloud with something of everything, and lives in it ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ready:
    folder: Path
    scratch: Path
    ids: Mapping[str, str]


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Ready:
    scratch = tmp_path_factory.mktemp("repeats")
    folder = made(scratch).folder
    ids: dict[str, str] = {}

    async def prepare() -> None:
        async with opened(folder, at=latest(folder)) as on:
            web = await server(on, "web")
            schedule = await schedules.create_schedule(on.cloud, on.operator, web.id, cron="@yearly", drill_days=7)
            taken = await backups.list_backups(on.cloud, on.operator)
            ids.update(backup=taken[0].backup.id, schedule=schedule.id, web=web.id)
            ids.update({name: (await server(on, name)).id for name in ("db", "bare")})
            await ask(on, folder, ids, acting("/schedules/{schedule}", "run"))
            await on.engine.advance(600)
            for _ in range(2):
                nic = "POST", "/servers/{bare}/nics", {"configuration": "dhcp"}
                ids["mac"] = json.loads(await ask(on, folder, ids, nic))["nics"][0]["mac"]
            ids.update({name: (await drive(on, name)).id for name in ("loose", "web-far")})
            ids["shot"] = (await snapshots.list_snapshots(on.cloud, on.operator))[0].id
            await on.engine.save_clock()

    asyncio.run(prepare())
    return Ready(folder, scratch, ids)


async def ask(on: Harness, folder: Path, ids: Mapping[str, str], request: Request, key: str | None = None) -> str:
    """Over HTTP; returns the body of what must be no refusal."""
    answer = await answered(on, folder, ids, request, key)
    assert answer.status_code < 300, f"{request}: {answer.status_code} {answer.text}"
    return answer.text


async def answered(
    on: Harness, folder: Path, ids: Mapping[str, str], request: Request, key: str | None = None
) -> httpx.Response:
    (answer,) = await answers_to(on, folder, ids, request, key)
    return answer


async def answers_to(
    on: Harness, folder: Path, ids: Mapping[str, str], request: Request, key: str | None = None, *, times: int = 1
) -> list[httpx.Response]:
    """So often at once."""
    method, path, body = request
    headers = {"Authorization": "Bearer operator-token", **({} if key is None else {"Idempotency-Key": key})}
    app = App(on.cloud, on.engine, keys(folder))
    try:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url=BASE + ops.PREFIX, headers=headers
        ) as client:
            content = json.loads(json.dumps(body).replace('"{bare}"', json.dumps(ids.get("bare"))))
            asked = [client.request(method, path.format(**ids), json=content) for _ in range(times)]
            return await asyncio.gather(*asked)
    finally:
        await app.past.close()


def live(ready: Ready, folder: Path, case: Case, *, writes: int = 0) -> Ended:
    """A life in which it is asked for, cut off after so many writes; 0: never."""
    counted = Counted(writes)

    async def life() -> None:
        async with opened(folder, at=latest(folder), store=failing_store(counted)) as on:
            for each in case.before:
                await ask(on, folder, ready.ids, each)
                await on.engine.noted()
            counted.is_counting = True
            await ask(on, folder, ready.ids, case.request, "once")
            counted.is_counting = False
            await on.engine.noted()
            await on.engine.run_due()

    return lived(life)


def repeat(ready: Ready, folder: Path, case: Case, *, times: int = 1) -> None:
    """In a new life."""

    async def life() -> None:
        async with opened(folder, at=latest(folder)) as on:
            await on.engine.noted()
            for _ in range(times):
                await ask(on, folder, ready.ids, case.request, "once")
                await on.engine.noted()
            await on.engine.run_due()

    asyncio.run(life())


def effects(folder: Path, case: Case) -> Counter[str]:
    """What there is, what happened, and what time it is."""
    found = Counter(TASK_NUMBER.sub("", row) for row in holds(folder).elements())
    for path in (folder / "cloud.db", *sorted((folder / "cells").glob("*.db"))):
        with closing(sqlite3.connect(path)) as connection:
            found.update(f"{path.stem} {kind}" for (kind,) in connection.execute("SELECT kind FROM event"))
            if path.stem == "cloud":
                found.update(connection.execute("SELECT clock FROM cloud").fetchone())
    return Counter({row: count for row, count in found.items() if not row.endswith(case.told_again or "-")})


def remembering(folder: Path) -> bool:
    return any(_remembers(path) for path in (folder / "cloud.db", *(folder / "cells").glob("*.db")))


def _remembers(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        return bool(connection.execute("SELECT count(*) FROM request WHERE key LIKE '% once'").fetchone()[0])


def kills(ready: Ready, case: Case, *, is_sample: bool) -> Iterator[int]:
    """After each of its writes; of a sample, after the one that remembers it."""
    whole = copied(ready.folder, ready.scratch / "whole")
    ended = live(ready, whole, case)
    assert ended.status == 0, ended.errors
    wanted = effects(whole, case)
    repeat(ready, whole, case)
    assert effects(whole, case) == wanted, f"done again:\n{difference(effects(whole, case), wanted)}"
    sites = crashing.sites_of(ended)
    assert case.kept in sites, f"remembered in none of {sites}"
    first = sites.index(case.kept) + 1
    for writes in [first] if is_sample else range(1, len(sites) + 1):
        folder = copied(ready.folder, ready.scratch / "killed")
        ended = live(ready, folder, case, writes=writes)
        assert ended.status == -signal.SIGKILL, ended.errors
        assert remembering(folder) is (writes >= first), f"killed after {sites[:writes]}"
        repeat(ready, folder, case, times=2)
        assert_whole(folder)
        found = effects(folder, case)
        assert found == wanted, f"killed after {sites[:writes]}:\n{difference(found, wanted)}"
        yield writes


SAMPLE = [
    "POST /servers/{bare}/nics",
    "POST /backups/{backup}/actions restore",
    "POST /schedules/{schedule}/actions run",
]


@pytest.mark.parametrize("case", [case for case in CASES if str(case) in SAMPLE], ids=str)
def test_killed_when_it_was_remembered_it_is_not_done_again(ready: Ready, case: Case) -> None:
    """A sample of the next."""
    assert len(list(kills(ready, case, is_sample=True))) == 1


@pytest.mark.thorough
@pytest.mark.parametrize("case", CASES, ids=str)
def test_killed_after_each_write_it_is_done_once(ready: Ready, case: Case) -> None:
    assert list(kills(ready, case, is_sample=False))


# --- asked for twice in one life --------------------------------------------------------------------------------------


def twice_at_once(ready: Ready, case: Case) -> None:
    """By a client that does not wait for the first answer."""
    whole = copied(ready.folder, ready.scratch / "whole")
    ended = live(ready, whole, case)
    assert ended.status == 0, ended.errors
    folder = copied(ready.folder, ready.scratch / "twice")

    async def life() -> None:
        async with opened(folder, at=latest(folder)) as on:
            for each in case.before:
                await ask(on, folder, ready.ids, each)
                await on.engine.noted()
            both = await answers_to(on, folder, ready.ids, case.request, "once", times=2)
            assert {answer.status_code < 300 for answer in both} == {True}, [answer.text for answer in both]
            await on.engine.noted()
            await on.engine.run_due()

    asyncio.run(life())
    found, wanted = effects(folder, case), effects(whole, case)
    assert found == wanted, f"done twice:\n{difference(found, wanted)}"


@pytest.mark.parametrize("case", [case for case in CASES if case.path.endswith(("servers", "drives", "{web}/actions"))],
                         ids=str)  # fmt: skip
def test_asked_for_twice_at_once_it_is_done_once(ready: Ready, case: Case) -> None:
    """A sample of the next."""
    twice_at_once(ready, case)


@pytest.mark.thorough
@pytest.mark.parametrize("case", CASES, ids=str)
def test_whatever_is_asked_for_twice_at_once_is_done_once(ready: Ready, case: Case) -> None:
    twice_at_once(ready, case)


MAKING = {
    "POST /servers": "server",
    "POST /servers/{web}/actions clone": "server",
    "POST /drives": "drive",
    "POST /drives/{loose}/actions clone": "drive",
    "POST /backups/{backup}/actions restore": "server",
}


@pytest.mark.parametrize("name", MAKING)
def test_what_was_deleted_since_is_not_made_again(ready: Ready, name: str) -> None:
    """A late repeat hears what the first heard, or that it is gone."""
    case = next(case for case in CASES if str(case) == name)
    kind = MAKING[name]
    folder = copied(ready.folder, ready.scratch / "deleted")

    async def life() -> None:
        async with opened(folder, at=latest(folder)) as on:
            first = await ask(on, folder, ready.ids, case.request, "once")
            told = json.loads(first)
            made_id = {"made": told.get(f"{kind}_id") or told.get(kind, told)["id"]}
            await on.engine.advance(3600)
            if kind == "server":
                await answered(on, folder, made_id, acting("/servers/{made}", "stop"))
                await on.engine.advance(60)
            await ask(on, folder, made_id, acting(f"/{kind}s/{{made}}", "delete"))
            before = effects(folder, case)
            late = await answered(on, folder, ready.ids, case.request, "once")
            assert late.text == first or (late.status_code == 409 and "has been deleted since" in late.text), late.text
            assert effects(folder, case) == before

    asyncio.run(life())


def test_a_repeat_of_what_a_kill_undid_asks_no_cell_but_its_own(ready: Ready) -> None:
    """Another one may be silent for days."""
    case = CASES[0]
    assert case.path == "/servers"
    folder = copied(ready.folder, ready.scratch / "undone")
    ended = live(ready, folder, replace(case, body={**case.body, "cell": "cell-1"}), writes=1)
    assert ended.status == -signal.SIGKILL, ended.errors

    async def life() -> None:
        async with opened(folder, at=latest(folder)) as on:
            await cells.inject(on.cloud, on.operator, "cell-2", "down")
            request = case.method, case.path, {**case.body, "cell": "cell-1"}
            answer = await answered(on, folder, ready.ids, request, "once")
            assert answer.status_code == 201, answer.text

    asyncio.run(life())
