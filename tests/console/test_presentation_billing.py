"""Money of one invented cloud: what is burnt, what is left, what backfilling came to."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from console import wire_billing
from console.presentation import billing, money
from console.presentation.lines import text_of
from console.presentation.mirror import Mirror
from tests.console.drawn import a_silent_cloud, body, plate, the_row
from tests.console.examples import a_frame, the_billing, the_cloud
from tests.console.fakes import FakeCloud, an_app
from tests.console.stories import type_line, until


def test_what_is_burnt_stands_first_and_backfilling_has_a_dash_where_nothing_can_be_subscribed() -> None:
    lines = [line.rstrip() for line in body(billing.view(the_cloud(), a_frame(height=40)))]

    assert lines == [
        "  ? cell-3 does not answer: billed as last known; corrections follow",
        "  RESOURCE              USING  SUBSCRIBED     BURST UNIT  PRICE           USD/h",
        "    CPU               3,052.0     3,000.0      52.0  GHz 0.0162/h          0.84",
        "    memory            9,148.0     9,600.0       0.0  GiB 0.0221/h          0.00",
        "  ▒ backfill CPU        994.0           —     994.0  GHz 0.0065/h          6.46",
        "  ▒ backfill memory   2,284.0           —   2,284.0  GiB 0.0088/h         20.10",
        "    IPs                     4           0         4      5.0000/month      0.03",
        "",
        "  burst, now                                                              27.43",
        "  ▒ of it backfilling                                                     26.56",
        "  ▒ at the normal price                                                   66.58",
        "  this month so far                                                    8,412.06",
        "  until 30 Nov at this rate                                           14,996.21",
        "  ▒ saved, less what stops lost                                          157.35",
        "",
        "  CPU level     10 ██████████··········  then 11 from 14:10                   ▄",
        "                   since 13:30:00; 8 from 13:00:00             24 h, 2 h a sign",
        "  memory level  11 ███████████·········  then 11 from 14:10                   ▅",
        "                   since 13:00:00                              24 h, 2 h a sign",
        "",
        "  ACCOUNT                        BALANCE   LASTS normal/h    ▒ /h SHARE   MONTH",
        "  operator@st…k.local held      8,412.06  13d00h     0.84   26.56  100%   8,400",
        "  tenant@stratodeck.local     999,999.94       ∞     0.03    0.00    0%   12.06",
        "",
        "  BACKFILLED THIS MONTH, USD       PAID    SAVED  SHRUNK STOPS    LOST      NET",
        "  operator@stratodeck.local      103.28   157.35    2.35     1   <0.01   157.35",
        "",
        "  SERVER  in USD                  NOW/h    MONTH   SAVED  SHRUNK STOPS     LOST",
        "    web-01                       0.4312   312.75       ·       ·     ·        ·",
        "  ▒ render-12                    0.1100    76.14  116.10       ·     ·        ·",
        "  ▒ train-09                     0.0520    27.14   41.25    2.35     1    <0.01",
    ]


def test_a_low_terminal_keeps_what_is_burnt_the_accounts_and_the_servers() -> None:
    lines = [line.rstrip() for line in body(billing.view(the_cloud(), a_frame(height=24)))]

    heads = [line.split()[0] for line in lines if line.strip() and line.split()[0].isupper()]
    assert heads == ["RESOURCE", "CPU", "ACCOUNT", "SERVER"]
    assert lines[-1].startswith("  ▒ train-09")


def test_a_low_terminal_tells_all_levels_and_their_last_day_in_one_line() -> None:
    lines = [line.rstrip() for line in body(billing.view(the_cloud(), a_frame(height=24)))]

    assert [line for line in lines if "level" in line] == [
        "  price levels   CPU 10 then 11            ▄   memory 11            ▅      24 h",
    ]


@pytest.mark.parametrize("width", [40, 46, 56, 80])
def test_no_figure_of_what_it_comes_to_touches_its_words(width: int) -> None:
    found = the_billing()
    rich = found._replace(by_owner=(found.by_owner[0]._replace(net=Decimal("1234567.89")),))

    lines = body(billing.view(replace(the_cloud(), billing=rich), a_frame(width=width, height=10)))

    assert any(line.rstrip().endswith(" 1,234,567.89") for line in lines)


def test_what_is_left_out_of_the_list_is_counted() -> None:
    mirror = replace(the_cloud(), billing=the_billing()._replace(servers_total=1_203))

    lines = body(billing.view(mirror, a_frame()))

    assert "and 1,200 more that came to less" in lines[-1]


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("21238.35", "21,238"),
        ("8412.06", "8,412.06"),
        ("1234567.8", "1.2M"),
        ("-237420785629.2", "-237.4G"),
        ("0", "0.00"),
    ],
)
def test_no_figure_is_wider_than_its_column(amount: str, shown: str) -> None:
    assert money.money_in(8, Decimal(amount)) == shown


def test_backfilling_has_its_tone_and_a_level_to_come_warns() -> None:
    lines = billing.view(the_cloud(), a_frame(height=40)).regions

    assert set(plate(lines[1].line(2))) >= {"b"}
    assert "w" in plate(lines[5].line(0))
    assert "w" not in plate(lines[5].line(2))


@pytest.mark.parametrize(
    ("choices", "names"),
    [
        ({}, ["web-01", "render-12", "train-09"]),
        ({"sort": "saved"}, ["render-12", "train-09", "web-01"]),
        ({"sort": "stops"}, ["train-09", "render-12", "web-01"]),
        ({"sort": "shrunk"}, ["train-09", "render-12", "web-01"]),
        ({"sort": "now"}, ["train-09", "render-12", "web-01"]),
        ({"sort": "name"}, ["render-12", "train-09", "web-01"]),
        ({"filter": "train"}, ["train-09"]),
        ({"filter": "kind:back"}, ["render-12", "train-09"]),
        ({"filter": "nothing like it"}, []),
    ],
)
def test_servers_are_sorted_and_found(choices: dict[str, Any], names: list[str]) -> None:
    assert [row.name for row in billing.visible(the_billing(), a_frame(**choices))] == names


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        (
            "id-train-09",
            "train-09: 0.0520 an hour now, 27.14 this month, 41.25 less than as a normal server; "
            "shrinking took 2.35 worth; 1 stop lost <0.01",
        ),
        (
            "id-web-01",
            "web-01: 0.4312 an hour now, 312.75 this month, at burst prices; its drives are billed apart",
        ),
        (
            "account:tenant@stratodeck.local",
            "tenant@stratodeck.local: not held to its balance; enter: its ledger, x: a balance",
        ),
    ],
)
def test_a_row_says_in_a_sentence_what_it_came_to(key: str, sentence: str) -> None:
    assert text_of(billing.status(the_cloud(), a_frame(), key)) == sentence


@pytest.mark.parametrize(("balance", "lasts", "tone"), [("-3", 0, "c"), ("9", 86_400, "w"), ("900", 9 * 86_400, "t")])
def test_who_is_held_to_a_balance_that_does_not_last_is_warned_of(balance: str, lasts: int, tone: str) -> None:
    owner = the_billing().owners[0]._replace(balance=Decimal(balance), lasts_seconds=lasts)
    mirror = replace(the_cloud(), billing=the_billing()._replace(owners=(owner,)))

    row = the_row(billing.view(mirror, a_frame(height=40)), "account:operator@stratodeck.local")

    assert plate(row)[38] == tone


def test_what_was_last_told_of_money_is_grey_once_the_cloud_is_silent() -> None:
    mirror = the_cloud().failed("no answer", a_frame().wall_now)

    row = the_row(billing.view(mirror, a_frame()), "id-train-09")

    assert set(plate(row)) <= {".", "u"}
    assert billing.view(a_silent_cloud(), a_frame()).regions
    assert "…" in body(billing.view(Mirror(), a_frame()))[0]


@pytest.mark.parametrize(("amount", "text"), [("0", "0.00"), ("0.004", "<0.01"), ("8412.063", "8,412.06")])
def test_an_amount_that_is_too_small_to_write_is_not_written_as_nothing(amount: str, text: str) -> None:
    assert money.money(Decimal(amount)) == text


def test_the_answer_of_the_api_becomes_records() -> None:
    none = "0.00000000000000000000"
    found = wire_billing.billing(
        {
            "currency": "USD", "burst_per_hour": "27.5", "backfilling_per_hour": none,
            "backfilling_at_normal_price_per_hour": none, "charged_this_month": none, "projected_this_month": none,
            "month_ends_at": "2026-12-01T00:00:00Z",
            "lines": [{"resource": "bcpu", "unit": "GHz/hour", "using": 4, "subscribed": None, "burst": 4, "level": 3,
                       "next_level": 4, "price": "0.0032", "cost_per_hour": none}],
            "owners": [{"account": "a", "balance": "-1.5", "is_finite": True, "normal_per_hour": none,
                        "backfilling_per_hour": none, "charged_this_month": none, "lasts_seconds": 0}],
            "history": [{"follows": "cpu", "levels": [{"at": "2026-11-20T12:00:00Z", "level": 3}], "next_level": 4,
                         "next_at": "2026-11-20T12:05:00Z"}],
            "servers": [{"server_id": "x", "name": None, "owner": "a", "paid": none, "saved": none, "not_billed": none,
                         "stops": 0, "lost": none, "net": none, "is_backfilling": False, "per_hour": "0.5",
                         "this_month": "7"}],
            "servers_total": 3, "by_owner": [], "silent": [{"cell": "cell-3", "since": "2026-11-20T12:00:00Z"}],
        }
    )  # fmt: skip

    assert found.burst_per_hour == Decimal("27.5")
    assert (found.lines[0].is_backfilling, found.lines[0].subscribed) == (True, None)
    assert found.owners[0].balance == Decimal("-1.5")
    assert found.history[0].levels[0][1] == 3
    assert (found.servers[0].name, found.servers[0].per_hour, found.servers_total) == (None, Decimal("0.5"), 3)
    assert found.silent == ("cell-3",)


@pytest.mark.anyio
async def test_money_is_asked_for_when_it_is_looked_at() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "cell-1")
        assert ("billing",) not in cloud.requests
        await pilot.press("colon")
        await type_line(pilot, "billing")
        await pilot.press("enter")
        text = await until(pilot, "burst, now")

    assert "of it backfilling" in text
