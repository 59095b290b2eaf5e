"""The page of an account, what a server costs on its own page, and who is short of money on the overview."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from console.client import ClientError
from console.presentation import account_detail, attention, billing, detail, money, subscribing
from console.presentation.creating import Wrong
from console.presentation.lines import UNICODE, cells, text_of
from console.presentation.mirror import Mirror
from console.records import ServerDetail
from console.records_billing import AccountMoney, CostRecord, LedgerRecord, ShortAccount, SubscriptionRecord
from console.screens.money_verbs import amount_of
from tests.console.drawn import body
from tests.console.examples import GIB, a_frame, the_billing, the_cloud, today
from tests.console.fakes import FakeCloud, an_app
from tests.console.stories import type_line, until

OPERATOR = "operator@stratodeck.local"
HELD = AccountMoney(
    OPERATOR,
    (
        SubscriptionRecord("2", "cpu", 3_000_000, "active", True, Decimal("35.4"), today(12, 0), today(18, 0)),
        SubscriptionRecord("1", "mem", 4 * GIB, "expired", False, Decimal(2), today(9, 0), today(12, 0)),
    ),
    (
        LedgerRecord("correction", "Correction: cpu from 12:00 on", Decimal("0.0316"), Decimal("99.9"), today(14, 0)),
        LedgerRecord("burst", "Burst: 2.00 GHz of cpu for 5 minutes at 13:50", Decimal("0.0013"), Decimal(100),
                     today(13, 55)),
        LedgerRecord("payment", "Balance given", Decimal(-50), Decimal("100.0013"), today(13, 50)),
    ),
    1_203,
)  # fmt: skip


def test_an_account_shows_what_it_has_what_it_subscribed_and_the_newest_of_its_ledger() -> None:
    view = account_detail.view(the_cloud(), f"account:{OPERATOR}", a_frame(height=40), HELD)

    lines = [line.rstrip() for line in body(view)]
    assert lines[1].split()[-1] == "8,412.06"
    assert lines[8:] == [
        "  SUBSCRIPTIONS                   UNTIL         STATUS",
        "  3,000.0 GHz of CPU              18:00:00      active, renews            35.40",
        "  4.0 GiB of memory               12:00:00      expired                    2.00",
        "",
        "  LEDGER                                                   AMOUNT       BALANCE",
        "  14:00:00     Correction: cpu from 12:00 on              -0.0316         99.90",
        "  13:55:00     2.00 GHz of cpu for 5 minutes              -0.0013        100.00",
        "  13:50:00     Balance given                              50.0000        100.00",
        "  and 1,200 older, which GET /ops/v1/billing/ledger pages",
    ]


@pytest.mark.parametrize("width", [24, 40, 59, 60, 79, 80, 160])
def test_a_page_about_money_fits_its_terminal_and_keeps_the_amounts(width: int) -> None:
    account = account_detail.view(the_cloud(), f"account:{OPERATOR}", a_frame(width=width, height=40), HELD)
    bill = billing.view(replace(the_cloud(), billing=the_billing()._replace(servers_total=9)),
                        a_frame(width=width, height=40))  # fmt: skip

    for view in (account, bill):
        assert all(cells(line) <= width for line in body(view))
    assert any("50.0000" in line for line in body(account))
    assert any("312.75" in line for line in body(bill))


@pytest.mark.parametrize("mirror", [Mirror(), the_cloud()])
def test_an_account_that_was_not_told_of_yet_says_so(mirror: Mirror) -> None:
    assert body(account_detail.view(mirror, "account:nobody", a_frame(), None))[-1].strip() == "…"


def test_a_server_says_what_it_costs_and_what_shrinking_it_saved() -> None:
    server = the_cloud().servers["id-train-09"]
    money = Decimal
    cost = CostRecord(OPERATOR, money("27.14"), money("41.25"), money("2.35"), 1, money("0.5"), money("40.75"),
                      server.id, per_hour=money("0.052"), this_month=money("27.14"))  # fmt: skip

    text = "\n".join(body(detail.describe(the_cloud(), server.id, a_frame(height=60), ServerDetail(server, cost=cost))))

    for words in (
        "0.0520 an hour now",
        "27.14",
        "2.35 not billed, for what it did not have",
        "41.25 less than as a normal server",
        "0.50 paid for 1 run that came to nothing",
        "40.75 saved",
    ):
        assert words in text
    assert "an hour now" not in "\n".join(
        body(detail.describe(the_cloud(), server.id, a_frame(), ServerDetail(server)))
    )


@pytest.mark.parametrize(
    ("account", "what", "tone"),
    [
        (ShortAccount("broke", Decimal(-2), 0), "balance -2.00", "crit"),
        (ShortAccount("soon", Decimal(3), 86_400), "balance 3.00, lasts 1d00h", "warn"),
        (ShortAccount("now", Decimal("0.05"), 3), "balance 0.05, lasts less than five minutes", "warn"),
    ],
)
def test_who_is_short_of_money_needs_attention(account: ShortAccount, what: str, tone: str) -> None:
    mirror = replace(the_cloud(), short_of_money=(account,))

    (alarm,) = [each for each in attention.alarms(mirror, a_frame()) if each.key.startswith("account:")]

    assert (alarm.who, alarm.what, alarm.tone.value) == (account.account, what, tone)


def test_a_balance_that_is_gone_says_since_when() -> None:
    account = ShortAccount("broke", Decimal(-2), 0, today(13, 5))

    alarms = attention.alarms(replace(the_cloud(), short_of_money=(account,)), a_frame())

    assert {alarm.who: alarm.since for alarm in alarms}["broke"] == today(13, 5)


@pytest.mark.parametrize(
    ("balance", "seconds", "words", "text"),
    [
        ("10", None, "for ever", "∞"),
        ("10", 86_400, "1d00h", "1d00h"),
        ("0.05", 299, "less than five minutes", "<5m"),
        ("0.05", 300, "5m00s", "5m00s"),
        ("-3", 0, "no longer: it is gone", "gone"),
        ("-3", None, "for ever", "∞"),
    ],
)
def test_how_long_a_balance_lasts_is_said_alike(balance: str, seconds: int | None, words: str, text: str) -> None:
    assert money.lasts_words(Decimal(balance), seconds) == words
    assert money.lasts_text(Decimal(balance), seconds, UNICODE) == text


@pytest.mark.parametrize(
    ("text", "amount"),
    [("100", "100"), (" 1,000.50 ", "1000.50"), ("0", "0"), ("-1", None), ("NaN", None), ("1e12", None), ("ten", None)],
)
def test_an_amount_is_read_as_it_is_typed(text: str, amount: str | None) -> None:
    assert amount_of(text) == (None if amount is None else Decimal(amount))


@pytest.mark.anyio
async def test_an_account_is_found_in_the_bill_described_and_given_a_balance() -> None:
    cloud = FakeCloud()
    app = an_app(cloud)

    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "cell-1")
        await pilot.press("colon")
        await type_line(pilot, "billing")
        await pilot.press("enter")
        await until(pilot, "operator@exa")
        await pilot.press("enter")
        text = await until(pilot, "Balance given")
        await pilot.press("x")
        await until(pilot, "give a balance")
        await pilot.press("b")
        await until(pilot, "what it has to live on")
        await pilot.press(*["backspace"] * 6)
        await type_line(pilot, "all")
        await pilot.press("enter")
        await until(pilot, "all is no balance", "what it has to live on")
        await pilot.press(*["backspace"] * 3)
        await type_line(pilot, "250")
        await pilot.press("enter")
        said = await until(pilot, "250.00")

    assert "none: all that is used is burst" in text
    assert ("give_balance", "operator@example.org", Decimal(250)) in cloud.requests
    assert "is held to it" in said


@pytest.mark.anyio
async def test_a_subscription_is_bought_and_extended_after_its_cost_was_told() -> None:
    cloud = FakeCloud()
    account = "operator@example.org"

    async with an_app(cloud).run_test(size=(80, 24)) as pilot:
        await until(pilot, "cell-1")
        await type_line(pilot, f":account {account}")
        await pilot.press("enter")
        await until(pilot, "none: all that is used is burst")
        await pilot.press("x", "e")
        await until(pilot, "no subscription that could be extended")
        await pilot.press("x", "s")
        await until(pilot, "Subscribe for", "CPU, in GHz")
        await pilot.press("tab")
        await type_line(pilot, "2.5")
        await pilot.press("tab", "right", "tab", "right")
        await until(pilot, "2.5 GHz of CPU", "12.50 at once, 10 % off", "bought again at its end")
        assert not [each for each in cloud.requests if each[0] == "buy_subscription"]
        await pilot.press("enter")
        await until(pilot, "[ buy ]", "tier 2")
        await pilot.press("tab", "enter")
        await until(pilot, "has subscribed 2.5 GHz of CPU, for 12.50")
        await until(pilot, "active, renews")
        await pilot.press("x", "e")
        await until(pilot, "Extend a subscription", "1: 2.5 GHz of CPU until", "as long as before")
        await pilot.press("enter")
        await until(pilot, "[ buy ]")
        await pilot.press("tab", "enter")
        await until(pilot, "has subscribed 2.5 GHz of CPU")

    assert [body for name, *body in cloud.requests if name == "buy_subscription"] == [
        [{"account": account, "resource": "cpu", "amount": 2500, "period": "3 months", "renews": True}],
        [{"account": account, "extends": "1"}],
    ]


@pytest.mark.parametrize("text", ["", "0", "-1", "many", "NaN", "1e30"])
def test_an_amount_that_is_none_is_not_subscribed(text: str) -> None:
    (amount,) = (each for each in subscribing.fields() if each.name == "amount")

    assert isinstance(amount.read(text), Wrong)


@pytest.mark.parametrize(
    ("resource", "amount", "sent", "told"),
    [
        ("mem", "1.5", 3 * 2**29, "1.5 GiB of memory"),
        ("ip", "1", 1, "1 IP"),
        ("vlan", "2", 2, "2 VLANs"),
        ("cpu", "0.0001", 1, "0.0 GHz of CPU"),
    ],
)
def test_an_amount_is_sent_in_base_units(resource: str, amount: str, sent: int, told: str) -> None:
    found = subscribing.sent({"resource": resource, "amount": Decimal(amount), "period": None})

    assert found == {"resource": resource, "amount": sent}
    assert money.what_text(resource, sent) == told


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("Burst: 2.00 VLAN of vlan for 5 minutes at 13:50", "Burst: 2 VLANs for 5 minutes at 13:50"),
        ("Subscription: 1.00 IP of ip from 2026-11-20", "Subscription: 1 IP from 2026-11-20"),
        ("Burst: 2.00 GHz of cpu for 5 minutes", "Burst: 2.00 GHz of cpu for 5 minutes"),
    ],
)
def test_what_is_counted_in_pieces_is_said_as_pieces(reason: str, said: str) -> None:
    assert money.reason_text(reason) == said


def test_a_row_of_the_ledger_that_is_cut_is_said_whole_in_the_status_row() -> None:
    reason = "Correction: intel_mem from 2026-11-20 12:00 to 2026-11-20 13:50, of what a cell told late"
    held = HELD._replace(rows=(*HELD.rows, LedgerRecord("correction", reason, Decimal(1), Decimal(5), today(13, 51))))
    view = account_detail.view(the_cloud(), f"account:{OPERATOR}", a_frame(), held)
    rows = next(region for region in view.regions if len(region) == len(held.rows) and region.key(0) is not None)

    assert reason not in "\n".join(body(view))
    keys = [rows.key(index) for index in range(len(rows))]
    assert len(set(keys)) == len(held.rows)
    said = [text_of(view.status(key)) for key in keys]
    assert said == [row.reason.removeprefix("Correction: ") for row in held.rows]
    assert max(map(len, said)) < 80
    assert "is held to its balance" in text_of(view.status(None))


@pytest.mark.anyio
async def test_enter_on_a_row_of_the_ledger_leads_nowhere() -> None:
    async with an_app(FakeCloud()).run_test(size=(80, 24)) as pilot:
        await until(pilot, "cell-1")
        await type_line(pilot, ":account operator@example.org")
        await pilot.press("enter")
        await until(pilot, "Balance given")
        await pilot.press("G", "enter", "enter")
        assert "is not known any more" not in await until(pilot, "Balance given", "LEDGER")
        await pilot.press("x")
        await until(pilot, "give a balance")


@pytest.mark.anyio
async def test_a_server_is_described_also_where_nobody_tells_what_it_costs() -> None:
    class Silent(FakeCloud):
        async def cost(self, server_id: str) -> CostRecord:
            raise ClientError(f"no cost of {server_id}", "not_found", is_retryable=False)

    app = an_app(Silent())

    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "cell-1")
        await pilot.press("1")
        await until(pilot, "web-01")
        await pilot.press("d")
        text = await until(pilot, "drives")

    assert "an hour now" not in text
