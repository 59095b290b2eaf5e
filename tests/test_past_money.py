"""Money of a moment is the money of then: what was given, bought and corrected later had not been."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from backend.cloud.prices import UNIT
from backend.cloud.subscriptions import Asked
from backend.operations import billing, servers, subscriptions
from tests.backend.support import TENANT
from tests.past_lives import Lived, difference, lived

MONEY = ("/billing", f"/billing/ledger?account={TENANT}", f"/billing/subscriptions?account={TENANT}", "/capacity")


async def money(it: Lived, at: str | None = None) -> dict[str, Any]:
    return {path: await it._told(path, at) for path in MONEY}


def test_a_balance_given_later_is_not_told_of_a_moment_before_it_whichever_way_one_goes(tmp_path: Path) -> None:
    async def story() -> None:
        async with lived(tmp_path / "data", 3) as it:
            cloud, on = it.app.cloud, it.life.on
            written: list[tuple[str, dict[str, Any]]] = []

            async def note() -> None:
                await it.app.engine.advance(61)
                written.append((await it.moment(), await money(it)))
                await it.app.engine.advance(300)

            await note()
            # Copies are made here: what is given after this is not in them.
            await money(it, written[0][0])
            await billing.give_balance(cloud, on.operator, TENANT, 50 * UNIT)
            await note()
            await subscriptions.buy(cloud, on.tenant, [Asked("dssd", 10 * 2**30, "1 month")])
            await note()
            await billing.give_balance(cloud, on.operator, TENANT, UNIT // 20)
            await note()
            held = [next(each["is_finite"] for each in told["/billing"][1]["owners"] if each["account"] == TENANT)
                    for _, told in written]  # fmt: skip
            assert held == [False, True, True, True]
            for index in (0, 3, 1, 2, 0, 2, 3):
                moment, before = written[index]
                after = await money(it, moment)
                for path in MONEY:
                    assert after[path][0] == 200
                    assert after[path] == before[path], f"{path} at {moment}{difference(before[path], after[path])}"

    asyncio.run(story())


def test_an_account_that_is_given_what_it_has_is_held_to_it_from_then_on_only(tmp_path: Path) -> None:
    async def story() -> None:
        async with lived(tmp_path / "data", 4) as it:
            cloud, on = it.app.cloud, it.life.on
            await it.app.engine.advance(61)
            before = await it.moment()
            await it.app.engine.advance(61)
            await billing.give_balance(cloud, on.operator, TENANT, await billing.balance(cloud, TENANT))
            await it.app.engine.advance(61)
            for moment, expected in ((before, False), (await it.moment(), True), (before, False)):
                _, told = await it._told("/billing", moment)
                assert {each["account"]: each["is_finite"] for each in told["owners"]}[TENANT] is expected

    asyncio.run(story())


def test_what_runs_no_more_is_told_with_what_it_cost_an_hour_while_it_ran(tmp_path: Path) -> None:
    async def story() -> None:
        async with lived(tmp_path / "data", 5) as it:
            on = it.life.on
            server = await on.running("web-01")
            await it.app.engine.advance(600)
            paths = ("/billing", f"/billing/servers/{server.id}")
            moment, before = await it.moment(), {path: await it._told(path, None) for path in paths}
            await servers.stop_server(on.cloud, on.operator, server.id, action="stop")
            await it.app.engine.advance(600)

            assert float(before[paths[1]][1]["per_hour"]) > 0
            assert float((await it._told(paths[1], None))[1]["per_hour"]) == 0
            assert {path: await it._told(path, moment) for path in paths} == before

    asyncio.run(story())
