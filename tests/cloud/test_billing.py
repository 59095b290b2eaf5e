"""The ledger as a function of what was in use, against a reckoning tick by tick and second by second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.cloud import billing, prices
from backend.cloud.billing import Mark, Run
from backend.cloud.errors import Invalid
from backend.cloud.instants import MICROSECONDS, instant_of, microseconds_of
from backend.cloud.prices import RESOURCES, TICK, UNIT
from backend.cloud.subscriptions import Asked, Subscription, Term, covered, end_of, offer
from tests.strategies import QUICK, THOROUGH

END = 40
RESOURCE_NAMES = st.sampled_from(sorted(RESOURCES))
instants = st.integers(0, END).map(lambda tick: tick * TICK) | st.integers(0, END * TICK)
amounts = st.sampled_from((0, 1, 1000, 2**30)) | st.integers(0, 10**12)
series = st.dictionaries(instants, amounts, max_size=8).map(lambda found: sorted(found.items()))
levels = st.dictionaries(st.integers(0, END), st.integers(1, 20), max_size=6).map(lambda found: sorted(found.items()))


def value_at(steps: list[tuple[int, int]], at: int, before: int = 0) -> int:
    return next((value for begun, value in reversed(steps) if begun <= at), before)


def used_in(steps: list[tuple[int, int]], begins: int, ends: int) -> int:
    cuts = sorted({begins, ends, *(at for at, _ in steps if begins < at < ends)})
    return sum(value_at(steps, cut) * (end - cut) for cut, end in pairwise(cuts))


def check_runs(resource: str, burst: list[tuple[int, int]], found: list[tuple[int, int]], first: int) -> None:
    rows = {
        tick: run
        for run in billing.runs(resource, burst, found, first, END)
        for tick in range(run.tick, run.tick + run.count)
    }
    for tick in range(first, END):
        used = used_in(burst, tick * TICK, (tick + 1) * TICK)
        assert (tick in rows) == bool(used)
        if used:
            level = value_at(found, tick, 1)
            what = RESOURCES[resource]
            price = Fraction(prices.price_of(resource, level))
            exact = price * used / (MICROSECONDS * what.multiplier * what.scale)
            assert (rows[tick].used, rows[tick].level) == (used, level)
            assert abs(Fraction(rows[tick].charge, UNIT) - exact) <= Fraction(1, 2 * UNIT)


@QUICK
@given(RESOURCE_NAMES, series, levels, st.integers(0, END))
def test_every_tick_is_billed_what_it_used_at_its_level_to_the_last_place(
    resource: str, burst: list[tuple[int, int]], found: list[tuple[int, int]], first: int
) -> None:
    check_runs(resource, burst, found, first)


@pytest.mark.thorough
@THOROUGH
@given(RESOURCE_NAMES, series, levels, st.integers(0, END))
def test_every_tick_is_billed_what_it_used_in_many_histories(
    resource: str, burst: list[tuple[int, int]], found: list[tuple[int, int]], first: int
) -> None:
    check_runs(resource, burst, found, first)


@QUICK
@given(st.lists(series, max_size=4), series, instants)
def test_what_is_beyond_the_subscriptions_is_so_at_every_instant(
    files: list[list[tuple[int, int]]], subscribed: list[tuple[int, int]], at: int
) -> None:
    using = billing.summed(files)

    burst = billing.beyond(using, subscribed)

    total = sum(value_at(each, at) for each in files)
    assert billing.amount_at(using, at) == total
    assert billing.amount_at(burst, at) == max(0, total - value_at(subscribed, at))


@QUICK
@given(series, series, st.integers(0, END + 3))
def test_a_level_follows_the_load_just_before_the_instant_a_tick_before_its_tick_began(
    load: list[tuple[int, int]], capacity: list[tuple[int, int]], tick: int
) -> None:
    found = billing.levels_of(load, capacity, END + 3)

    at = (tick - 1) * TICK - 1
    expected = prices.level_of(value_at(load, at), value_at(capacity, at))
    if tick < END + 3:
        assert billing.level_at(found, tick) == expected


@QUICK
@given(RESOURCE_NAMES, series, levels, st.integers(1, END), st.integers(0, END))
def test_marks_add_up_to_the_rows_before_them_wherever_they_are_begun(
    resource: str, burst: list[tuple[int, int]], found: list[tuple[int, int]], end: int, middle: int
) -> None:
    middle = min(middle, end)
    whole = list(billing.runs(resource, burst, found, 0, end))
    start = Mark(0, 0, 0)
    if middle:
        start = billing.marked(start, billing.runs(resource, burst, found, 0, middle), middle)[-1]
    marks = billing.marked(start, billing.runs(resource, burst, found, middle, end), end) if middle < end else [start]

    rows = billing.tick_rows(whole)
    for mark in marks:
        before = [row for row in rows if row.at <= mark.tick * TICK]
        assert (mark.rows, mark.charged) == (len(before), sum(row.amount for row in before))
    assert marks[-1].tick == end


@QUICK
@given(RESOURCE_NAMES, st.integers(1, 10**12), levels, instants, instants)
def test_the_price_of_a_stretch_is_that_of_its_ticks_and_parts_of_ticks(
    resource: str, amount: int, found: list[tuple[int, int]], one: int, other: int
) -> None:
    begun, ended = sorted((one, other))
    meterage = billing.Meterage(resource, found)

    exact = Fraction(0)
    for tick in range(begun // TICK, ended // TICK + 1):
        seconds = Fraction(min(ended, (tick + 1) * TICK) - max(begun, tick * TICK), MICROSECONDS)
        price = Fraction(prices.price_of(resource, value_at(found, tick, 1) if prices.has_levels(resource) else 1))
        exact += price * amount * max(Fraction(0), seconds) / RESOURCES[resource].multiplier
    assert abs(
        Fraction(meterage.cost(amount * meterage.weight(begun, ended)), UNIT) - exact / RESOURCES[resource].scale
    ) <= Fraction(1, 2 * UNIT)


@pytest.mark.parametrize(
    ("units", "text"),
    [
        (0, "0.00000000000000000000"),
        (1, "0.00000000000000000001"),
        (-55 * UNIT, "-55.00000000000000000000"),
        (10**9 * UNIT + 7, "1000000000.00000000000000000007"),
    ],
)
def test_money_is_written_with_all_its_places_and_read_back(units: int, text: str) -> None:
    assert prices.money_text(units) == text
    assert prices.money_of(Decimal(text)) == units


@pytest.mark.parametrize("text", ["NaN", "Infinity", "0.000000000000000000001"])
def test_what_is_no_amount_of_money_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="it "):
        prices.money_of(Decimal(text))


def test_backfilling_costs_less_than_a_normal_server_at_every_level_and_is_not_sold_in_advance() -> None:
    for name, normal in prices.BACKFILL_OF.items():
        for level in range(1, prices.LEVELS_MAX + 1):
            assert 0 < prices.price(name, level) < prices.price(normal, level)
        with pytest.raises(Invalid, match="no subscriptions of"):
            offer(Asked(name, 1000, period="1 month"), instant_of(0))


NOW = datetime(2026, 2, 1, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked", "begins", "ends"),
    [
        (Asked("cpu", 1, period="1 month"), NOW, datetime(2026, 3, 1, 12, tzinfo=UTC)),
        (Asked("cpu", 1, period="30 days"), NOW, datetime(2026, 3, 3, 12, tzinfo=UTC)),
        (Asked("cpu", 1, period="2 months 1 week"), NOW, datetime(2026, 4, 8, 12, tzinfo=UTC)),
        (Asked("cpu", 1, period="30 days, 1:30:00"), NOW, datetime(2026, 3, 3, 12, tzinfo=UTC)),
        (Asked("cpu", 1, end=NOW + timedelta(days=2)), NOW, datetime(2026, 2, 3, 12, tzinfo=UTC)),
        (
            Asked("cpu", 1, start=datetime(2026, 5, 31, 18, tzinfo=UTC), period="1 month"),
            datetime(2026, 5, 31, 12, tzinfo=UTC),
            datetime(2026, 7, 1, 12, tzinfo=UTC),
        ),
        (
            Asked("cpu", 1, period="1 month", end=datetime(2026, 6, 1, 12, tzinfo=UTC)),
            datetime(2026, 5, 1, 12, tzinfo=UTC),
            datetime(2026, 6, 1, 12, tzinfo=UTC),
        ),
    ],
)
def test_times_of_a_subscription_are_rounded_to_noon_as_published(
    asked: Asked, begins: datetime, ends: datetime
) -> None:
    found = offer(asked, NOW)

    assert (found.begins, found.ends) == (begins, ends)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (Asked("cpu", 0, period="1 month"), "amount"),
        (Asked("gold", 1, period="1 month"), "resource"),
        (Asked("cpu", 1), "period"),
        (Asked("cpu", 1, period="1 fortnight"), "period"),
        (Asked("cpu", 1, period="0 days"), "period"),
        (Asked("cpu", 1, period="900 years"), "period"),
        (Asked("cpu", 1, start=NOW, end=NOW, period="1 day"), "period"),
        (Asked("cpu", 1, end=NOW - timedelta(days=9)), "end_time"),
        (Asked("cpu", 1, end=NOW + timedelta(days=9000)), "end_time"),
    ],
)
def test_what_cannot_be_subscribed_is_refused_with_its_field(asked: Asked, field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        offer(asked, NOW)

    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("period", "percent"),
    [("80 days", 0), ("3 months", 3), ("6 months", 10), ("1 year", 25), ("2 years", 35), ("3 years", 45)],
)
def test_who_subscribes_for_longer_pays_less(period: str, percent: int) -> None:
    noon = datetime(2026, 1, 31, 12, tzinfo=UTC)

    assert prices.discount_percent(noon, end_of(noon, period)) == percent


def test_a_subscription_that_renews_itself_covers_without_a_gap_until_it_is_looked_at() -> None:
    begins, ends = datetime(2026, 2, 1, 12, tzinfo=UTC), datetime(2026, 3, 1, 12, tzinfo=UTC)
    term = Term(microseconds_of(begins), microseconds_of(begins), microseconds_of(ends), 5)
    found = Subscription(1, "a", "me", "cpu", 1000, "1 month", renews=True, parent=None, terms=(term,))

    later = microseconds_of(datetime(2026, 6, 15, tzinfo=UTC))

    assert [instant_of(each.ends_at).month for each in found.terms_until(later)] == [3, 4, 5, 6, 7]
    assert covered([found], later)["cpu"] == [(term.begins_at, 1000), (microseconds_of(ends.replace(month=7)), 0)]
    assert found.status(later) == "active"


def test_a_run_says_how_long_there_was_any_of_it() -> None:
    run = Run("cpu", 0, 1, used=12_000 * 137 * MICROSECONDS, active=137 * MICROSECONDS, level=1)

    (row,) = billing.tick_rows([run])

    assert row.reason == "Burst: 12.00 GHz of cpu for 2 minutes at 1970-01-01 00:00"
    assert billing.average(run) == 12_000
