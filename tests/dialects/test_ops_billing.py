"""Money over `/ops/v1`: silent cells and their corrections, what each server costs, who is short, subscriptions."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.backend.support import OPERATOR, TENANT
from tests.dialects.sigma import a_running_server, a_server, act
from tests.dialects.support import Wired, good, refused, wired

GIB = 2**30
HOUR = 3600


async def cell_of(on: Wired) -> str:
    return (await on.app.cloud.store.cloud_read(lambda tx: tx.server_entries()))[0].cell


async def summary(on: Wired, **query: str) -> dict[str, Any]:
    return good(await on.ops.get("/billing", params=query))


async def whole_ledger(on: Wired) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = good(await on.ops.get("/billing/ledger", params={"limit": 1000}))["rows"]
    return rows[::-1]


async def using(on: Wired, resource: str) -> int:
    found: int = good(await on.sigma.get("/currentusage/"))["usage"][resource]["using"]
    return found


def test_a_cell_that_never_told_anything_is_billed_by_what_was_last_seen_of_it(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        server = await a_running_server(on, cpu=2000, mem=2 * GIB)
        await on.break_cell(await cell_of(on))

        await on.advance(2 * HOUR + 60)

        found = await summary(on)
        assert [each["cell"] for each in found["silent"]] == [await cell_of(on)]
        assert (await using(on, "cpu"), await using(on, "mem")) == (2000, 2 * GIB)
        rows = [row for row in await whole_ledger(on) if row["resource"] == "cpu"]
        assert [(row["used"], row["seconds"]) for row in rows][1:] == [(2000, 300)] * 23
        (cost,) = found["servers"]
        assert (cost["server_id"], cost["name"]) == (server["uuid"], "web-01")
        assert Decimal(cost["per_hour"]) > 0

    wired(tmp_path / "data", story)


def test_what_was_told_of_a_silent_cell_stays_and_the_truth_is_a_correction_of_its_own_instant(tmp_path: Path) -> None:
    """It ran for two hours, and stands still when its cell falls silent: only that was ever seen of it here."""

    async def story(on: Wired) -> None:
        server = await a_running_server(on, cpu=2000, mem=2 * GIB)
        await on.advance(2 * HOUR)
        await act(on, server["uuid"], "stop")
        await on.advance(HOUR)
        cell = await cell_of(on)
        await on.break_cell(cell)
        await on.advance(HOUR)
        told = await whole_ledger(on)
        assert not [row for row in told if row["resource"] in ("cpu", "mem")]

        good(await on.ops.put(f"/cells/{cell}/reachability", json={"state": "up"}))
        await on.advance(HOUR)

        found = await whole_ledger(on)
        assert found[: len(told)] == told
        corrections = [row for row in found if row["kind"] == "correction"]
        assert {row["reason"].split()[1] for row in corrections} == {"cpu", "mem"}
        # 2 GHz for two hours at the level of an idle cloud, whose rows never said that it was not idle.
        expected = {"cpu": Decimal("0.0079") * 4, "mem": Decimal("0.0113") * 4}
        for row in corrections:
            right = expected[row["reason"].split()[1]]
            assert right < Decimal(row["amount"]) < right * Decimal("1.02")
            assert row["at"] > told[-1]["at"]
        assert sum(Decimal(row["amount"]) for row in found) == -Decimal(found[-1]["balance"])
        assert (await summary(on))["silent"] == []
        again = await whole_ledger(on)
        assert again == found

    wired(tmp_path / "data", story)


def test_every_server_says_what_it_costs_and_backfilling_what_it_saved_and_lost(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        back = await a_running_server(on, cpu=16_000, mem=4 * GIB, is_grey=True, name="back")
        normal = await a_running_server(on, cpu=8_000, name="normal")
        await on.advance(HOUR)

        found = await summary(on, account=OPERATOR)

        rows = {row["name"]: row for row in found["servers"]}
        assert found["servers_total"] == 2
        assert (rows["back"]["is_backfilling"], rows["normal"]["is_backfilling"]) == (True, False)
        burst = {line["resource"]: Decimal(line["cost_per_hour"]) for line in found["lines"]}
        assert Decimal(rows["normal"]["per_hour"]) == burst["cpu"] + burst["mem"]
        assert Decimal(rows["back"]["per_hour"]) == burst["bcpu"] + burst["bmem"]
        assert not Decimal(rows["normal"]["saved"]) + Decimal(rows["normal"]["not_billed"])
        assert [row["name"] for row in found["servers"]] == ["normal", "back"]
        assert Decimal(rows["back"]["not_billed"]) > 0
        assert good(await on.ops.get(f"/billing/servers/{normal['uuid']}")) == rows["normal"]
        assert good(await on.ops.get(f"/billing/servers/{back['uuid']}"))["net"] == rows["back"]["net"]
        refused(await on.tenant_ops.get(f"/billing/servers/{back['uuid']}"), 404)
        refused(await on.ops.get("/billing/servers/nobody"), 404)

    wired(tmp_path / "data", story, cells=("cell-1",), hosts=1)


def test_a_backfilling_run_that_ends_with_its_host_is_counted_among_the_stops_and_lost(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        back = await a_running_server(on, cpu=2000, is_grey=True)
        await on.advance(HOUR)
        host = good(await on.ops.get(f"/servers/{back['uuid']}"))["host"]

        good(await on.ops.post(f"/hosts/{host}/actions", json={"action": "fail"}), 202)
        await on.advance(HOUR)

        (row,) = (await summary(on))["servers"]
        assert row["stops"] == 1
        assert row["lost"] == row["paid"]
        assert Decimal(row["net"]) == Decimal(row["saved"]) - Decimal(row["paid"])

    wired(tmp_path / "data", story, cells=("cell-1",), hosts=1)


@pytest.mark.parametrize(("balance", "is_short"), [("0", True), ("1", True), ("1000", False)])
def test_who_is_held_to_a_balance_that_does_not_last_five_days_is_told_of(
    tmp_path: Path, balance: str, *, is_short: bool
) -> None:
    async def story(on: Wired) -> None:
        await a_running_server(on)
        assert good(await on.ops.get("/status"))["short_of_money"] == []

        good(await on.ops.put(f"/accounts/{OPERATOR}/balance", json={"balance": balance}))

        short = good(await on.ops.get("/status"))["short_of_money"]
        assert [each["account"] for each in short] == ([OPERATOR] if is_short else [])
        assert all(each["lasts_seconds"] < 5 * 86_400 for each in short)
        assert good(await on.tenant_ops.get("/status"))["short_of_money"] == []

    wired(tmp_path / "data", story, cells=("cell-1",), hosts=1)


def test_subscriptions_are_listed_with_their_units_and_only_to_whom_they_belong(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        for body in ({"resource": "cpu", "amount": 1000, "period": "1 day"},
                     {"resource": "mem", "amount": GIB, "period": "1 month", "auto_renew": True}):  # fmt: skip
            good(await on.sigma.post("/subscriptions/", json=body), 201)
        await on.advance(3 * 86_400)

        found = good(await on.ops.get("/billing/subscriptions"))

        assert [(row["resource"], row["status"], row["renews"]) for row in found["subscriptions"]] == [
            ("mem", "active", True),
            ("cpu", "expired", False),
        ]
        assert found["subscriptions"][0]["unit"] == "GB/hour"
        others = good(await on.ops.get("/billing/subscriptions", params={"account": TENANT}))
        assert others == {"account": TENANT, "subscriptions": []}
        refused(await on.tenant_ops.get("/billing/subscriptions", params={"account": OPERATOR}), 403)

    wired(tmp_path / "data", story, cells=("cell-1",), hosts=1)


def test_a_subscription_is_offered_bought_once_and_extended(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        async def post(body: dict[str, Any], **headers: str) -> Any:
            return await on.ops.post("/billing/subscriptions", json={"account": TENANT, **body}, headers=headers)

        async def listed() -> list[tuple[str, str, bool]]:
            found = good(await on.ops.get("/billing/subscriptions", params={"account": TENANT}))["subscriptions"]
            return [(row["id"], row["status"], row["renews"]) for row in found]

        wanted = {"resource": "mem", "amount": 4 * GIB, "period": "1 year", "renews": True}
        offered = good(await post({**wanted, "preview": True}))
        assert (offered["percent_off"], offered["amount"], await listed()) == (25, 4 * GIB, [])

        for _ in range(2):
            (bought,) = good(await post(wanted, **{"Idempotency-Key": "once"}), 201)["subscriptions"]
        assert (bought["price"], bought["ends_at"]) == (offered["price"], offered["ends_at"])
        assert await listed() == [("1", "active", True)]

        behind = good(await post({"extends": "1", "preview": True}))
        assert (behind["begins_at"], behind["renews"]) == (bought["ends_at"], True)
        (another,) = good(await post({"extends": "1"}), 201)["subscriptions"]
        assert another["price"] == behind["price"]
        assert await listed() == [("2", "inactive", True), ("1", "active", False)]

        for body, field in (
            ({"resource": "bcpu", "amount": 1, "period": "1 month"}, "resource"),
            ({"amount": 1, "period": "1 month"}, "resource"),
            ({"resource": "cpu", "period": "1 month"}, "amount"),
            ({"resource": "cpu", "amount": 1}, "period"),
            ({"extends": "1", "amount": 1}, "extends"),
        ):
            for preview in (False, True):
                assert refused(await post({**body, "preview": preview}), 400)["error"]["field"] == field
        refused(await post({"extends": "9"}), 404)
        refused(await on.tenant_ops.post("/billing/subscriptions", json={"account": OPERATOR, **wanted}), 403)
        good(await on.ops.put(f"/accounts/{TENANT}/balance", json={"balance": "0.01"}))
        assert refused(await post(wanted), 402)["error"]["code"] == "no_funds"
        good(await post(wanted, **{"Idempotency-Key": "once"}), 201)
        assert len(await listed()) == 2

    wired(tmp_path / "data", story, cells=("cell-1",), hosts=1)


def test_what_a_server_came_to_is_told_after_it_has_gone_and_costs_nothing_more(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        server = await a_running_server(on, cpu=2000)
        await on.advance(HOUR)
        await act(on, server["uuid"], "stop")
        await on.advance(60)
        await on.sigma.delete(f"/servers/{server['uuid']}/")

        (row,) = (await summary(on))["servers"]

        assert (row["server_id"], row["name"]) == (server["uuid"], None)
        assert Decimal(row["this_month"]) > 0
        assert not Decimal(row["per_hour"])

    wired(tmp_path / "data", story, cells=("cell-1",), hosts=1)


def test_a_server_that_nobody_runs_costs_nothing_now(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        server = await a_server(on)

        found = good(await on.ops.get(f"/billing/servers/{server['uuid']}"))

        assert not Decimal(found["per_hour"]) + Decimal(found["this_month"])

    wired(tmp_path / "data", story, cells=("cell-1",), hosts=1)
