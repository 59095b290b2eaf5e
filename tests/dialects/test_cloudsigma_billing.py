"""Money over CloudSigma's paths and `/ops/v1`: who is held to a balance, what is billed, what a page costs."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.backend.support import OPERATOR, TENANT
from tests.dialects.sigma import DISK, MINIMAL, a_drive, a_running_server, a_server, act, error_of
from tests.dialects.support import Wired, good, refused, wired

GIB = 2**30


async def balance_of(on: Wired) -> Decimal:
    return Decimal(good(await on.sigma.get("/balance/"))["balance"])


async def give(on: Wired, balance: str, name: str = OPERATOR) -> dict[str, Any]:
    return good(await on.ops.put(f"/accounts/{name}/balance", json={"balance": balance}))


async def ledger(on: Wired, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = good(await on.sigma.get("/ledger/", params={"limit": 0, **query}))["objects"]
    return found


def test_who_cannot_pay_for_five_days_starts_and_makes_nothing_in_any_dialect(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        server, drive = await a_server(on), await a_drive(on)
        assert await give(on, "5.0") == {"name": OPERATOR, "balance": f"{Decimal(5):.20f}", "is_finite": True}

        for path, body in (
            (f"/servers/{server['uuid']}/action/?do=start", {}),
            ("/servers/", MINIMAL),
            ("/drives/", DISK),
            (f"/drives/{drive['uuid']}/action/?do=clone", {}),
            (f"/servers/{server['uuid']}/action/?do=clone", {}),
            ("/subscriptions/", {"resource": "cpu", "amount": 10_000, "period": "1 month"}),
        ):
            error = error_of(await on.sigma.post(path, json=body), 402)
            assert error["error_type"] == "payment"
            assert error["error_message"].startswith("Not enough funds to")
        assert (
            refused(await on.ops.post("/servers", json={"name": "x", "cpu_mhz": 1000, "memory_bytes": GIB}), 402)[
                "error"
            ]["code"]
            == "no_funds"
        )
        start = await on.nova.post(f"/servers/{server['uuid']}/action", json={"os-start": None})
        assert refused(start, 403)
        assert good(await on.sigma.get(f"/servers/{server['uuid']}/"))["status"] == "stopped"
        assert len(good(await on.sigma.get("/servers/"))["objects"]) == 1

        await give(on, "100")
        await act(on, server["uuid"], "start")

    wired(tmp_path / "data", story)


def test_who_was_given_no_balance_is_never_refused_for_money(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        await give(on, "0", TENANT)
        server = await a_server(on)
        await on.advance(40 * 86_400)

        await act(on, server["uuid"], "start")

        assert await balance_of(on) > 0
        assert error_of(await on.tenant_sigma.post("/servers/", json=MINIMAL), 402)["error_type"] == "payment"

    wired(tmp_path / "data", story)


def test_backfilling_is_billed_for_what_it_really_had_and_covered_by_no_subscription(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        # Of a host of 16 GHz it has all, until a normal server needs half.
        back = await a_running_server(on, cpu=16_000, mem=4 * GIB, is_grey=True)
        await on.sigma.post(
            "/subscriptions/",
            json=[
                {"resource": "cpu", "amount": 20_000, "period": "1 month"},
                {"resource": "mem", "amount": 20 * GIB, "period": "1 month"},
            ],
        )
        await on.advance(300 - 60)
        await a_running_server(on, cpu=8_000, name="normal")
        await on.advance(840)

        rows = await ledger(on)

        factor = good(await on.sigma.get(f"/servers/{back['uuid']}/"))["runtime"]["perf_factor"]["cpu"]
        assert factor == 0.5
        by_resource = [row for row in rows if " of bcpu " in row["reason"]]
        assert [row["resource_amount"] for row in by_resource[:2]] == ["8000", "8000"]
        assert by_resource[-1]["resource_amount"] == "16000"
        # The normal server is covered from when the subscription began, backfilling never.
        assert not [row for row in rows if row["reason"].startswith("Burst") and " of cpu " in row["reason"]]
        usage = good(await on.sigma.get("/currentusage/"))["usage"]
        assert usage["bcpu"] == {"burst": 8_000, "subscribed": 0, "using": 8_000}
        assert usage["cpu"] == {"burst": 0, "subscribed": 20_000, "using": 8_000}

    wired(tmp_path / "data", story, cells=("cell-1",), hosts=1)


def test_a_lost_host_costs_nothing_while_it_is_lost_and_a_drive_costs_on(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        await a_drive(on)
        server = await a_running_server(on)
        host = good(await on.ops.get(f"/servers/{server['uuid']}"))["host"]
        await on.ops.post(f"/hosts/{host}/actions", json={"action": "fail"})

        usage = good(await on.sigma.get("/currentusage/"))["usage"]

        assert (usage["cpu"]["using"], usage["dssd"]["using"]) == (0, DISK["size"])

    wired(tmp_path / "data", story, cells=("cell-1",), hosts=1)


def test_what_a_silent_cell_used_goes_on_and_advancing_a_year_writes_nothing(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        await a_running_server(on, name="a")
        store = on.app.cloud.store
        await on.advance(600)
        before = good(await on.sigma.get("/currentusage/"))["usage"]
        cell = (await store.cloud_read(lambda tx: tx.server_entries()))[0].cell
        await on.break_cell(cell)
        counted = await store.cloud_read(lambda tx: sum(len(tx.intervals_of(each.id)) for each in tx.server_entries()))

        await on.advance(365 * 86_400)

        assert good(await on.sigma.get("/currentusage/"))["usage"] == before
        found = await store.cloud_read(lambda tx: sum(len(tx.intervals_of(each.id)) for each in tx.server_entries()))
        assert found == counted
        newest = (await ledger(on, limit=10))[0]
        assert newest["end"] == f"{await balance_of(on)}"

    wired(tmp_path / "data", story)


def test_the_ledger_can_be_read_from_any_place_and_every_page_of_it_fits_the_next(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        await a_running_server(on)
        await on.advance(7200)
        await on.sigma.post("/subscriptions/", json={"resource": "cpu", "amount": 500, "period": "1 month"})
        await on.advance(7200)

        whole = await ledger(on)

        pages = [await ledger(on, limit=7, offset=offset) for offset in range(0, len(whole), 7)]
        assert [row for page in pages for row in page] == whole
        assert sum(Decimal(row["amount"]) for row in whole) == -await balance_of(on)
        for newer, older in pairwise(whole):
            assert newer["initial"] == older["end"]
        middle = whole[len(whole) // 2]
        later = await ledger(on, time__gt=middle["time"])
        earlier = await ledger(on, time__lte=middle["time"])
        assert later + earlier == whole
        assert all(row["time"] > middle["time"] for row in later)
        cycle = await ledger(on, billing_cycle=middle["billing_cycle"])
        assert cycle == [row for row in whole if row["billing_cycle"] == middle["billing_cycle"]]
        paged: list[str] = []
        place: dict[str, str] = {}
        while len(paged) < len(whole):
            page = good(await on.ops.get("/billing/ledger", params={"limit": 5, **place}))
            paged += [row["id"] for row in page["rows"]]
            place = {"before": page["before"]}
        assert page["before"] is None
        assert paged == [row["id"] for row in whole]

    wired(tmp_path / "data", story)


@pytest.mark.parametrize(
    ("path", "query", "point"),
    [
        ("/ledger/", {"time__lt": "yesterday"}, "time__lt"),
        ("/ledger/", {"billing_cycle": "x"}, "billing_cycle"),
        ("/ledger/", {"limit": "-1"}, "limit"),
        ("/burstusage/", {"date": "2014-13-01"}, "date"),
        ("/usage/", {"poll_time__gt": "2014-01-01"}, "poll_time__gt"),
        ("/subscriptions/", {"status": "odd"}, "status"),
    ],
)
def test_a_bad_question_about_money_names_what_is_wrong(
    tmp_path: Path, path: str, query: dict[str, str], point: str
) -> None:
    async def story(on: Wired) -> None:
        assert error_of(await on.sigma.get(path, params=query), 400)["error_point"] == point

    wired(tmp_path / "data", story, cells=("cell-1",), hosts=1)


def test_bad_subscriptions_are_refused_and_buy_nothing(tmp_path: Path) -> None:
    good_one = {"resource": "cpu", "amount": 1, "period": "1 month"}

    async def story(on: Wired) -> None:
        before = await balance_of(on)
        for body, point in (
            ([good_one, {**good_one, "amount": 0}], "amount"),
            ({**good_one, "resource": "bmem"}, "resource"),
            ({**good_one, "period": "soon"}, "period"),
            ({**good_one, "end_time": "x"}, "end_time"),
            ({**good_one, "auto_renew": "yes"}, "auto_renew"),
            ([good_one] * 501, "objects"),
            ({"resource": "cpu"}, "amount"),
        ):
            assert error_of(await on.sigma.post("/subscriptions/", json=body), 400)["error_point"] == point
        error_of(await on.sigma.post("/subscriptions/7/action/?do=extend", json={}), 404)
        error_of(await on.sigma.get("/subscriptions/x/"), 404)
        assert await balance_of(on) == before
        for amount in ("-1", "NaN", "many", "1e30"):
            refused(await on.ops.put(f"/accounts/{OPERATOR}/balance", json={"balance": amount}), 400)
        refused(await on.tenant_ops.put(f"/accounts/{OPERATOR}/balance", json={"balance": "1"}), 403)
        refused(await on.tenant_ops.get("/billing", params={"account": OPERATOR}), 403)
        refused(await on.tenant_ops.get("/billing/ledger", params={"account": OPERATOR}), 403)

    wired(tmp_path / "data", story, cells=("cell-1",), hosts=1)


def test_an_extended_subscription_renews_at_the_end_of_its_chain(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        body = {"resource": "cpu", "amount": 1000, "period": "1 day", "auto_renew": True}
        first = good(await on.sigma.post("/subscriptions/", json=body), 201)["objects"][0]
        second = good(await on.sigma.post("/subscriptions/1/action/?do=extend", json={}))["objects"][0]
        await on.advance(5 * 86_400)

        found = {each["id"]: each for each in good(await on.sigma.get("/subscriptions/"))["objects"]}

        assert (first["id"], second["id"]) == ("1", "2")
        assert (found["1"]["status"], found["1"]["descendants"]) == ("expired", [second["resource_uri"]])
        assert (found["2"]["status"], found["2"]["auto_renew"]) == ("active", True)
        assert len([row for row in await ledger(on) if row["reason"].startswith("Subscription")]) == 6
        assert good(await on.sigma.get("/currentusage/"))["usage"]["cpu"]["subscribed"] == 1000

    wired(tmp_path / "data", story, cells=("cell-1",), hosts=1)


def test_the_summary_tells_what_backfilling_saves_and_what_shrinking_and_stops_came_to(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        await a_running_server(on, cpu=16_000, mem=4 * GIB, is_grey=True)
        await on.advance(3600)
        await a_running_server(on, cpu=8_000, name="normal")
        await on.advance(3600)

        found = good(await on.ops.get("/billing", params={"account": OPERATOR}))

        (row,) = [each for each in found["servers"] if each["is_backfilling"]]
        (owner,) = found["by_owner"]
        rows = [row for row in await ledger(on) if " of bcpu " in row["reason"] or " of bmem " in row["reason"]]
        billed = sum(Decimal(each["amount"]) for each in rows)
        assert abs(Decimal(row["paid"]) - billed) < Decimal("0.02")
        assert Decimal(row["not_billed"]) > 0
        assert Decimal(row["saved"]) > 0
        assert (row["stops"], row["name"]) == (0, "web-01")
        assert owner["paid"] == row["paid"]
        lines = {line["resource"]: line for line in found["lines"]}
        assert lines["bcpu"]["subscribed"] is None
        assert lines["bcpu"]["level"] > 1
        assert [each["follows"] for each in found["history"]] == ["cpu", "mem"]
        assert sum(Decimal(line["cost_per_hour"]) for line in found["lines"]) == Decimal(found["burst_per_hour"])
        assert Decimal(found["projected_this_month"]) > Decimal(found["charged_this_month"]) > 0
        assert {each["resource"] for each in found["newest"]} == {"cpu", "mem", "bcpu", "bmem", "ip", "vlan"}
        everybody = good(await on.ops.get("/billing"))
        assert [each["account"] for each in everybody["owners"]] == [OPERATOR, TENANT]
        own = good(await on.tenant_ops.get("/billing"))
        assert [each["account"] for each in own["owners"]] == [TENANT]

    wired(tmp_path / "data", story, cells=("cell-1",), hosts=1)


def test_traffic_is_billed_at_the_rate_that_its_interfaces_had_whatever_became_of_them(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        server = await a_server(on, nics=[{"ip_v4_conf": {"conf": "dhcp"}}])
        await act(on, server["uuid"], "start")
        await on.advance(3600)
        found = good(await on.sigma.get(f"/servers/{server['uuid']}/"))
        sent = found["runtime"]["nics"][0]["io"]["bytes_sent"]
        using = good(await on.sigma.get("/currentusage/"))["usage"]["tx"]["using"]
        await act(on, server["uuid"], "stop")
        await on.advance(60)
        plain = {"name": "web-01", "cpu": 1000, "mem": GIB, "vnc_password": "secret", "nics": []}
        good(await on.sigma.put(f"/servers/{server['uuid']}/", json=plain))
        await on.advance(600)

        rows = [row for row in await ledger(on) if " of tx " in row["reason"]]

        billed = sum(int(row["resource_amount"]) for row in rows)
        assert abs(billed - sent) < 70 * using
        assert abs(using * 3600 - sent) < 70 * using
        price = Decimal("0.05") / 2**30
        assert abs(sum(Decimal(row["amount"]) for row in rows) - billed * price) < Decimal("1e-6")
        assert good(await on.sigma.get("/currentusage/"))["usage"]["tx"]["using"] == 0

    wired(tmp_path / "data", story)


def test_burst_usage_is_what_the_rows_of_its_days_add_up_to(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        await a_drive(on)
        await a_running_server(on)
        await on.advance(2 * 86_400)

        rows = await ledger(on)
        daily = good(await on.sigma.get("/dailyburstusage/", params={"limit": 0}))["objects"]
        whole = good(await on.sigma.get("/burstusage/", params={"limit": 0}))["objects"]
        usage = good(await on.sigma.get("/usage/", params={"limit": 0}))["objects"]

        for resource in ("cpu", "mem", "dssd", "ip", "vlan"):
            of_it = [row for row in rows if f" of {resource} for " in row["reason"]]
            by_day: dict[str, tuple[Decimal, int]] = {}
            for row in of_it:
                amount, used = by_day.get(row["poll_time"][:10], (Decimal(0), 0))
                by_day[row["poll_time"][:10]] = (
                    amount + Decimal(row["amount"]),
                    used + int(row["resource_amount"]),
                )
            told = [each for each in daily if each["resource_type"] == resource]
            assert {each["date"]: (Decimal(each["amount"]), each["usage"]) for each in told} == by_day
            (total,) = [each for each in whole if each["resource_type"] == resource]
            assert Decimal(total["amount"]) == sum(Decimal(row["amount"]) for row in of_it)
            of_last_day = [each for each in usage if each["resource"] == resource]
            assert len(of_last_day) == 288
        one_day = good(await on.sigma.get("/dailyburstusage/", params={"date": "2026-11-21"}))["objects"]
        assert {each["date"] for each in one_day} == {"2026-11-21"}
        none = good(await on.sigma.get("/burstusage/", params={"date__gt": "2027-01-01"}))["objects"]
        assert none == []

    wired(tmp_path / "data", story, cells=("cell-1",), hosts=1)
