"""How long a balance lasts, since when it is gone, and what is said to who cannot pay."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.backend.support import OPERATOR, TENANT
from tests.dialects.sigma import a_running_server, a_server
from tests.dialects.support import Wired, good, refused, wired
from tests.dialects.test_ops_billing import HOUR, summary


async def give(on: Wired, balance: str) -> None:
    good(await on.ops.put(f"/accounts/{OPERATOR}/balance", json={"balance": balance}))


def test_the_instant_since_which_a_balance_is_gone_is_that_of_its_row_of_the_ledger(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        await a_running_server(on, cpu=2000)
        for balance in ("0.1", "0.2"):
            # It has fallen below nothing and was filled up in between: the last time counts.
            await give(on, balance)
            await on.advance(40 * HOUR)

        (short,) = good(await on.ops.get("/status"))["short_of_money"]

        rows: list[dict[str, Any]] = []
        query: dict[str, Any] = {"limit": 500}
        while query.get("before", "") is not None:
            page = good(await on.ops.get("/billing/ledger", params=query))
            rows, query = [*page["rows"][::-1], *rows], {"limit": 500, "before": page["before"]}
        fell = [after["at"] for before, after in pairwise(rows)
                if Decimal(before["balance"]) >= 0 > Decimal(after["balance"])]  # fmt: skip
        assert len(fell) == 2
        assert short["below_since"] == fell[-1]
        assert short["lasts_seconds"] == 0

    wired(tmp_path / "data", story, cells=("cell-1",), hosts=1)


def test_only_a_balance_that_somebody_is_held_to_ends(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        await a_running_server(on)
        lasts = {each["account"]: each["lasts_seconds"] for each in (await summary(on))["owners"]}
        assert lasts == {OPERATOR: None, TENANT: None}

        await give(on, "100")

        (owner,) = [each for each in (await summary(on))["owners"] if each["account"] == OPERATOR]
        assert owner["lasts_seconds"] > 0
        await give(on, "0.01")
        (short,) = good(await on.ops.get("/status"))["short_of_money"]
        assert short["below_since"] is None

    wired(tmp_path / "data", story, cells=("cell-1",), hosts=1)


def test_who_cannot_pay_is_told_what_the_account_burns_and_what_this_adds(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        stopped = await a_server(on, cpu=4000)
        await a_running_server(on, cpu=4000)
        await give(on, "5")

        path = f"/servers/{stopped['uuid']}/actions"
        said = refused(await on.ops.post(path, json={"action": "start"}), 402)["error"]["message"]

        found = re.search(r": ([\d.]+) USD are needed \(([\d.]+) for this, ([\d.]+) for what the account burns", said)
        assert found is not None, said
        needed, added, burnt = map(Decimal, found.groups())
        assert abs(needed - added - burnt) <= Decimal("0.01")
        assert added > 0
        assert burnt > 0

    wired(tmp_path / "data", story, cells=("cell-1",), hosts=1)
