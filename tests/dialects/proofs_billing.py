"""Proofs about money: balance, usage, prices, the ledger, subscriptions, discounts, licenses."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest

from tests.dialects.proofs import Clients, cannot, documented, proves
from tests.dialects.proofs_servers import a_running_server

NO_METHOD = "has no method for it"

_READ = ("balance", "currentusage", "pricing", "discount", "ledger", "licenses")
_BURST = ("burstusage", "dailyburstusage", "usage")
for _name in (*_READ, *_BURST):
    documented(f"/{_name}/", f"GET /{_name}/", f"GET /{_name}/schema/")
documented(
    "/subscriptions/",
    *("GET /subscriptions/", "GET /subscriptions/schema/", "POST /subscriptions/", "GET /subscriptions/{uuid}/"),
    *(f"POST /subscriptions/{{uuid}}/action/?do={action}" for action in ("extend", "auto_renew")),
)
documented("/groupedsubscriptions/", "GET /groupedsubscriptions/", "GET /groupedsubscriptions/schema/")
documented("/subscriptioncalculator/", "GET /subscriptioncalculator/schema/", "POST /subscriptioncalculator/")

ENOUGH = "1000000000"


@contextmanager
def poor(on: Clients) -> Iterator[None]:
    """Who asks has a cent to live on, until the block ends."""
    on.give_balance("0.01")
    try:
        yield
    finally:
        on.give_balance(ENOUGH)


MONTH = {"resource": "cpu", "amount": 1000, "period": "1 month"}


@proves("cloudsigma", "Balance.get, CurrentUsage.get", "GET /balance/", "GET /currentusage/")
def balance_and_use(on: Clients) -> None:
    before = on.of("CurrentUsage").get()["usage"]
    a_running_server(on)

    after = on.of("CurrentUsage").get()["usage"]
    found = on.of("Balance").get()

    assert after["cpu"]["using"] == before["cpu"]["using"] + 1000
    assert after["cpu"]["burst"] == after["cpu"]["using"] - after["cpu"]["subscribed"]
    assert Decimal(found["balance"]) > 0
    assert (found["currency"], found["credit_limit"]) == ("USD", None)


@proves("cloudsigma", "Pricing.list, Discount.get, Licenses.list", "GET /pricing/", "GET /discount/", "GET /licenses/")
def prices(on: Clients) -> None:
    prices = on.of("Pricing").list()

    assert {each["level"] for each in prices if each["resource"] == "bcpu"} == set(range(1, 21))
    assert {each["period"]: each["value"] for each in on.of("Discount").list()}["1 year"] == "0.2500000000"
    assert on.of("Licenses").list() == []


@proves("cloudsigma", "Ledger.list, BurstUsage.list", "GET /ledger/", "GET /burstusage/")
def ledger(on: Clients) -> None:
    a_running_server(on)
    on.advance(900)

    rows = on.of("Ledger").list(query_params={"limit": 10})
    newest = rows[0]

    assert len(rows) == 10
    assert newest["end"] == on.of("Balance").get()["balance"]
    assert Decimal(newest["initial"]) - Decimal(newest["amount"]) == Decimal(newest["end"])
    burst = {each["resource_type"]: each for each in on.of("BurstUsage").list()}
    assert Decimal(burst["cpu"]["amount"]) > 0


@proves(
    "cloudsigma",
    "Subscriptions.create, list, get, extend; SubscriptionCalculator.get_price",
    *("POST /subscriptions/", "GET /subscriptions/", "GET /subscriptions/{uuid}/"),
    *("POST /subscriptions/{uuid}/action/?do=extend", "POST /subscriptioncalculator/"),
)
def subscribe(on: Clients) -> None:
    price = on.of("SubscriptionCalculator").get_price(1000, "1 month", "cpu")
    before = Decimal(on.of("Balance").get()["balance"])

    bought = on.of("Subscriptions").create(MONTH)
    extended = on.of("Subscriptions").extend(bought["id"])

    assert bought["price"] == price
    assert before - Decimal(on.of("Balance").get()["balance"]) == Decimal(price) + Decimal(extended["price"])
    assert on.of("Subscriptions").get(bought["id"])["descendants"] == [extended["resource_uri"]]
    until = on.of("Subscriptions").extend(bought["id"], {"end_time": "2027-12-24"})
    assert until["end_time"] == "2027-12-24T12:00:00+00:00"
    assert Decimal(until["price"]) > Decimal(extended["price"])
    listed = {each["id"]: each for each in on.of("Subscriptions").list(query_params={"status": "notexpired"})}
    assert (listed[bought["id"]]["status"], listed[extended["id"]]["status"]) == ("active", "inactive")


@proves("cloudsigma", "Subscriptions.create without the money for it", "GET /balance/")
def refused_for_money(on: Clients) -> None:
    errors = importlib.import_module("cloudsigma.errors")
    with poor(on):
        with pytest.raises(errors.ClientError) as refusal:
            on.of("Subscriptions").create(MONTH)
        has = on.of("Balance").get()["balance"]

    assert refusal.value.status_code == 402
    assert '"error_type":"payment"' in refusal.value.args[0]
    assert Decimal(has) == Decimal("0.01")


@proves(
    "cloudsigma",
    "get_schema of each",
    *(f"GET /{name}/schema/" for name in (*_READ, "burstusage", "subscriptions", "subscriptioncalculator")),
)
def schemas(on: Clients) -> None:
    names = ("Balance", "CurrentUsage", "Pricing", "Discount", "Ledger", "Licenses", "BurstUsage")
    for name in (*names, "Subscriptions", "SubscriptionCalculator"):
        assert on.of(name).get_schema()["fields"]


@proves(
    "libcloud",
    "ex_get_balance, ex_get_usage, ex_get_pricing",
    *("GET /balance/", "GET /currentusage/", "GET /pricing/"),
)
def money_of_nodes(on: Clients) -> None:
    driver = on.libcloud

    assert driver.ex_get_balance() == on.of("Balance").get()
    assert driver.ex_get_usage()["usage"] == on.of("CurrentUsage").get()["usage"]
    levels = driver.ex_get_pricing()
    assert set(levels["current"]) == set(levels["next"]) == {each["resource"] for each in levels["objects"]}
    assert all(level in range(1, 21) for level in levels["current"].values())


@proves(
    "libcloud",
    "ex_create_subscription, ex_list_subscriptions, ex_toggle_subscription_auto_renew",
    *("POST /subscriptions/", "GET /subscriptions/", "POST /subscriptions/{uuid}/action/?do=auto_renew"),
)
def subscriptions_of_nodes(on: Clients) -> None:
    driver = on.libcloud
    bought = driver.ex_create_subscription(amount=2**30, period="30 days", resource="dssd")

    assert driver.ex_toggle_subscription_auto_renew(bought)

    (found,) = [each for each in driver.ex_list_subscriptions(resources=["dssd"]) if each.id == bought.id]
    assert (found.auto_renew, found.status, found.amount) == (True, "active", 2**30)
    with poor(on), pytest.raises(Exception, match="Not enough funds") as refusal:
        driver.ex_create_subscription(amount=2**30, period="30 days", resource="dssd")
    assert (refusal.value.http_code, refusal.value.error_type) == (402, "payment")  # type: ignore[attr-defined]


cannot(
    "cloudsigma",
    NO_METHOD,
    *(f"GET /{name}/{end}" for name in ("dailyburstusage", "usage") for end in ("", "schema/")),
    "POST /subscriptions/{uuid}/action/?do=auto_renew",
    *("GET /groupedsubscriptions/", "GET /groupedsubscriptions/schema/"),
)
cannot(
    "libcloud",
    NO_METHOD,
    *(f"GET /{name}/schema/" for name in (*_READ, *_BURST, "subscriptions", "subscriptioncalculator")),
    *(f"GET /{name}/" for name in ("discount", "ledger", "licenses", *_BURST)),
    *("GET /groupedsubscriptions/", "GET /groupedsubscriptions/schema/"),
    *("GET /subscriptions/{uuid}/", "POST /subscriptions/{uuid}/action/?do=extend", "POST /subscriptioncalculator/"),
)
