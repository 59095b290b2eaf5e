"""Subscriptions over CloudSigma's paths, and lists of money: what is asked for, in which order, within what bounds."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.backend.support import OPERATOR
from tests.dialects.sigma import MINIMAL, a_running_server, error_of
from tests.dialects.support import Wired, good, wired

GIB = 2**30
CPU = {"resource": "cpu", "amount": 1000}
ONE_CELL: dict[str, Any] = {"cells": ("cell-1",), "hosts": 1}


async def bought(on: Wired, **body: Any) -> dict[str, Any]:
    found: dict[str, Any] = good(await on.sigma.post("/subscriptions/", json={**CPU, **body}), 201)["objects"][0]
    return found


async def extended(on: Wired, number: str, **body: Any) -> dict[str, Any]:
    path = f"/subscriptions/{number}/action/?do=extend"
    found: dict[str, Any] = good(await on.sigma.post(path, json=body))["objects"][0]
    return found


async def balance_of(on: Wired) -> Decimal:
    return Decimal(good(await on.sigma.get("/balance/"))["balance"])


@pytest.mark.parametrize(
    ("first", "asked", "end"),
    [
        # The clock stands at 2026-11-20 12:00.
        ({"period": "1 month"}, {"end_time": "2027-02-01T00:00:00+00:00"}, "2027-02-01T12:00:00+00:00"),
        ({"period": "1 month"}, {"end_time": "2027-02-01"}, "2027-02-01T12:00:00+00:00"),
        ({"period": "1 month"}, {"period": "2 days"}, "2026-12-22T12:00:00+00:00"),
        ({"period": "1 month"}, {}, "2027-01-20T12:00:00+00:00"),
        ({"end_time": "2026-12-20T08:00:00Z"}, {}, "2027-01-19T12:00:00+00:00"),
    ],
)
def test_an_extension_ends_as_it_was_asked_to_and_costs_its_own_length(
    tmp_path: Path, first: dict[str, str], asked: dict[str, str], end: str
) -> None:
    async def story(on: Wired) -> None:
        one = await bought(on, **first)
        before = await balance_of(on)

        more = await extended(on, one["id"], **asked)

        assert (more["start_time"], more["end_time"]) == (one["end_time"], end)
        price = good(await on.sigma.post("/subscriptioncalculator/",
                     json={**CPU, "start_time": one["end_time"], "end_time": end}))["price"]  # fmt: skip
        assert more["price"] == price
        assert before - await balance_of(on) == Decimal(price)

    wired(tmp_path / "data", story, **ONE_CELL)


@pytest.mark.parametrize(
    ("body", "point"),
    [
        ({"end_time": "2026-12-19T12:00:00Z"}, "end_time"),
        ({"end_time": "2099-01-01T00:00:00Z"}, "end_time"),
        ({"end_time": "soon"}, "end_time"),
        ({"end_time": "2027-02-01", "period": "1 month"}, "period"),
        ({"period": "99999999 years"}, "period"),
    ],
)
def test_an_extension_that_cannot_be_is_refused_and_costs_nothing(
    tmp_path: Path, body: dict[str, str], point: str
) -> None:
    async def story(on: Wired) -> None:
        one = await bought(on, period="1 month")
        before = await balance_of(on)

        answer = await on.sigma.post(f"/subscriptions/{one['id']}/action/?do=extend", json=body)

        assert error_of(answer, 400)["error_point"] == point
        assert await balance_of(on) == before

    wired(tmp_path / "data", story, **ONE_CELL)


@pytest.mark.parametrize(
    ("body", "point"),
    [
        ({"amount": 10**12, "period": "1 month"}, "amount"),
        ({"amount": -1, "period": "1 month"}, "amount"),
        ({"amount": 10**30, "period": "1 month"}, "amount"),
        ({"resource": "ip", "amount": 501, "period": "1 month"}, "amount"),
        ({"period": "99999999 years"}, "period"),
        ({"period": "9" * 19 + " days"}, "period"),
        ({"period": "99999 days, 0:00:00"}, "period"),
        ({"period": "1 year", "start_time": "9999-12-31T23:00:00Z"}, "period"),
        ({"resource": "tx", "period": "1 month"}, "resource"),
    ],
)
def test_amounts_and_periods_have_bounds_that_are_told(tmp_path: Path, body: dict[str, Any], point: str) -> None:
    async def story(on: Wired) -> None:
        error = error_of(await on.sigma.post("/subscriptions/", json={**CPU, **body}), 400)

        assert error["error_point"] == point
        assert len(error["error_message"]) < 120

    wired(tmp_path / "data", story, **ONE_CELL)


def test_addresses_are_subscribed_one_by_one(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        asked = {"resource": "ip", "amount": 3, "period": "1 month"}
        price = good(await on.sigma.post("/subscriptioncalculator/", json=asked))["price"]

        answer = good(await on.sigma.post("/subscriptions/", json=asked), 201)

        assert [each["amount"] for each in answer["objects"]] == ["1", "1", "1"]
        assert answer["price"] == price
        assert sum(Decimal(each["price"]) for each in answer["objects"]) == Decimal(price)
        assert good(await on.sigma.get("/currentusage/"))["usage"]["ip"] == {"burst": 1, "subscribed": 3, "using": 4}

    wired(tmp_path / "data", story, **ONE_CELL)


@pytest.mark.parametrize(("period", "percent", "share"), [("1 month", "0", "0"), ("1 year", "25", "0.25")])
def test_a_subscription_says_its_discount_and_of_none_that_it_is_zero(
    tmp_path: Path, period: str, percent: str, share: str
) -> None:
    async def story(on: Wired) -> None:
        found = await bought(on, period=period)

        assert found["discount_percent"] == percent
        off, price = Decimal(found["discount_amount"]), Decimal(found["price"])
        assert abs(off - (off + price) * Decimal(share)) < Decimal("1e-18")
        assert found["discount_amount"] == "0" or percent != "0"

    wired(tmp_path / "data", story, **ONE_CELL)


def test_chains_of_subscriptions_are_told_as_one_where_they_are_grouped(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        one = await bought(on, period="1 day")
        two = await extended(on, one["id"])
        three = await extended(on, one["id"])
        other = await bought(on, resource="mem", amount=GIB, period="1 month")
        await on.advance(86_400 + 60)

        found = good(await on.sigma.get("/groupedsubscriptions/"))

        assert found["meta"]["total_count"] == 2
        first, second = found["objects"]
        assert (first["id"], first["status"], first["end_time"]) == (one["id"], "active", three["end_time"])
        assert first["descendants"] == [two["resource_uri"], three["resource_uri"]]
        assert (second["id"], second["descendants"]) == (other["id"], [])
        mem = good(await on.sigma.get("/groupedsubscriptions/", params={"resource": "mem"}))["objects"]
        assert [each["id"] for each in mem] == [other["id"]]

    wired(tmp_path / "data", story, **ONE_CELL)


def test_lists_of_money_are_ordered_as_their_schemas_say_and_refuse_any_other_order(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        for days in (3, 1, 2):
            await bought(on, period=f"{days} days")
        await a_running_server(on)
        await on.advance(3600)

        by_end = good(await on.sigma.get("/subscriptions/", params={"order_by": "-end_time"}))["objects"]
        assert [each["id"] for each in by_end] == ["1", "3", "2"]
        newest = good(await on.sigma.get("/ledger/", params={"limit": 0}))["objects"]
        oldest = good(await on.sigma.get("/ledger/", params={"limit": 0, "order_by": "time"}))["objects"]
        assert oldest == newest[::-1]
        assert good(await on.sigma.get("/ledger/", params={"limit": 0, "order_by": "-time"}))["objects"] == newest
        for path in ("/ledger/", "/subscriptions/", "/burstusage/", "/dailyburstusage/", "/usage/", "/discount/"):
            error = error_of(await on.sigma.get(path, params={"order_by": "amount"}), 400)
            assert error["error_point"] == "order_by"
        error_of(await on.sigma.get("/ledger/1/"), 404)

    wired(tmp_path / "data", story, **ONE_CELL)


def test_pages_by_offset_hold_each_row_once_while_new_ones_come(tmp_path: Path) -> None:
    """Rows of one instant too: what is bought and paid while the clock stands keeps the order in which it came."""

    async def story(on: Wired) -> None:
        await a_running_server(on)
        await on.advance(1800)
        paged: list[dict[str, Any]] = []
        for turn in range(20):
            page = good(await on.sigma.get("/ledger/", params={"order_by": "time", "limit": 5, "offset": len(paged)}))
            paged += page["objects"]
            if turn < 4:
                await bought(on, period="1 month")
                good(await on.ops.put(f"/accounts/{OPERATOR}/balance", json={"balance": f"{1000 + turn}"}))
                await on.advance(150 * (turn % 2))

        whole = good(await on.sigma.get("/ledger/", params={"order_by": "time", "limit": 0}))["objects"]
        assert paged == whole
        assert len({row["id"] for row in whole}) == len(whole)

    wired(tmp_path / "data", story, **ONE_CELL)


def test_only_what_can_be_asked_for_is_in_the_schemas(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        for name, methods in (
            ("subscriptioncalculator", ["post"]),
            ("subscriptions", ["get", "post"]),
            ("groupedsubscriptions", ["get"]),
            ("ledger", ["get"]),
        ):
            found = good(await on.sigma.get(f"/{name}/schema/"))
            assert found["allowed_list_http_methods"] == methods
            for method in ("get", "post", "put", "delete"):
                answer = await on.sigma.request(method, f"/{name}/", json={})
                assert (answer.status_code == 405) == (method not in methods)

    wired(tmp_path / "data", story, **ONE_CELL)


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ({}, ["2026-11-22", "2026-11-21", "2026-11-20"]),
        ({"date": "2026-11-21"}, ["2026-11-21"]),
        ({"date__gte": "2026-11-21"}, ["2026-11-22", "2026-11-21"]),
        ({"date__gt": "2026-11-21", "date__lt": "2026-11-22"}, ["2026-11-21"]),
        ({"date__lte": "2026-11-21"}, ["2026-11-21", "2026-11-20"]),
        ({"date__lte": "2026-11-21T00:00:00"}, ["2026-11-20"]),
        ({"date__lte": "9999-12-31"}, ["2026-11-22", "2026-11-21", "2026-11-20"]),
        ({"date__lt": "0001-01-01"}, []),
        ({"date__gt": "9999-12-31T23:59:59.999999+00:00"}, []),
    ],
)
def test_a_date_without_an_hour_is_its_midnight_and_a_day_asked_for_is_whole(
    tmp_path: Path, query: dict[str, str], days: list[str]
) -> None:
    async def story(on: Wired) -> None:
        await on.advance(2 * 86_400)

        found = good(await on.sigma.get("/dailyburstusage/", params={"limit": 0, **query}))["objects"]

        assert list(dict.fromkeys(each["date"] for each in found)) == days
        assert bool(good(await on.sigma.get("/burstusage/", params=query))["objects"]) == bool(days)

    wired(tmp_path / "data", story, **ONE_CELL)


def test_a_refusal_for_money_says_how_much_is_missing_however_little_it_is(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        # One MHz for a month costs a hundredth of a dollar and a bit.
        price = Decimal(
            good(await on.sigma.post("/subscriptioncalculator/", json={**CPU, "amount": 1, "period": "30 days"}))[
                "price"
            ]
        )
        good(await on.ops.put(f"/accounts/{OPERATOR}/balance", json={"balance": f"{price - Decimal('0.00001'):.20f}"}))

        error = error_of(await on.sigma.post("/subscriptions/", json={**CPU, "amount": 1, "period": "30 days"}), 402)

        needed, has = f"{price:.8f}", f"{price - Decimal('0.00001'):.8f}"
        assert error["error_message"] == (
            f"Not enough funds to buy the subscription: {needed} USD are needed, and the balance is {has} USD."
        )
        assert error_of(await on.sigma.post("/servers/", json=MINIMAL), 402)["error_type"] == "payment"

    wired(tmp_path / "data", story, **ONE_CELL)


def test_a_renewal_that_cannot_be_paid_is_made_all_the_same_and_stops_what_is_new(tmp_path: Path) -> None:
    async def story(on: Wired) -> None:
        good(await on.ops.put(f"/accounts/{OPERATOR}/balance", json={"balance": "1"}))
        await bought(on, period="1 day", auto_renew=True)

        await on.advance(10 * 86_400)

        assert await balance_of(on) < 0
        assert good(await on.sigma.get("/subscriptions/1/"))["status"] == "active"
        assert error_of(await on.sigma.post("/servers/", json=MINIMAL), 402)["error_type"] == "payment"

    wired(tmp_path / "data", story, **ONE_CELL)
