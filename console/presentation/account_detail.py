"""One account in full: what it has, what it burns, what it subscribed, and the newest rows of its ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from console.presentation import figures, money
from console.presentation.facts import Fact, fact, region_of
from console.presentation.lines import (
    Frame,
    Line,
    Lines,
    Region,
    Span,
    Tone,
    View,
    blank_region,
    compose,
    fit_sentence,
    left,
    right,
)
from console.presentation.mirror import Mirror
from console.records_billing import AccountMoney, BillingOwner, LedgerRecord, SubscriptionRecord

INSTANT_CELLS = 12
_KIND_TONES = {"payment": Tone.OK, "correction": Tone.WARN, "subscription": Tone.ACCENT}


def view(mirror: Mirror, key: str, frame: Frame, held: AccountMoney | None) -> View:
    """Until the cloud has told of its ledger, the page says so."""
    name = key.removeprefix("account:")
    owner = next((each for each in (mirror.billing.owners if mirror.billing else ()) if each.account == name), None)
    regions: list[Region] = [region_of(_facts(frame, name, owner), frame.width)]
    if held is None or held.account != name:
        asking = compose(frame.width, left(2, frame.glyphs.ellipsis, Tone.MUTED))
        regions += [blank_region(frame.width), Lines([asking])]
    else:
        regions += _told(frame, held)
    return View(
        "detail",
        ("billing", name),
        "describe",
        tuple(regions),
        status=lambda key: _status(owner, held, key),
    )


def _key(row: LedgerRecord) -> str:
    return f"ledger:{row.at}/{row.reason}"


def _status(owner: BillingOwner | None, held: AccountMoney | None, key: str | None) -> Line:
    """All of what the ledger says in the row under the cursor, where a narrow line cuts it."""
    row = next((each for each in (held.rows if held else ()) if _key(each) == key), None)
    if row is None:
        return (Span(_sentence(owner), Tone.MUTED),)
    # With the word before it, it would be wider than a terminal of 80 columns.
    return (Span(money.reason_text(row.reason.removeprefix("Correction: ")), Tone.MUTED),)


def _sentence(owner: BillingOwner | None) -> str:
    if owner is None:
        return ""
    if not owner.is_finite:
        return f"{owner.account} is not held to its balance; x b changes that"
    return f"{owner.account} is held to its balance: what it starts must be paid for five days"


def _facts(frame: Frame, name: str, owner: BillingOwner | None) -> list[Fact]:
    glyphs = frame.glyphs
    if owner is None:
        return [fact("account", name, glyphs), fact("balance", None, glyphs)]
    tone = Tone.CRIT if owner.is_finite and owner.balance <= 0 else Tone.TEXT
    lasts = money.lasts_words(owner.balance, owner.lasts_seconds)
    return [
        fact("account", name, glyphs),
        fact("balance", money.money(owner.balance), glyphs, tone),
        fact("held to it", "yes" if owner.is_finite else "no", glyphs, Tone.ACCENT if owner.is_finite else Tone.MUTED),
        fact("lasts", lasts if owner.is_finite else f"{lasts}: it is not held to it", glyphs),
        fact("normal", f"{money.money(owner.normal_per_hour, 4)} an hour", glyphs),
        fact("backfilling", f"{money.money(owner.backfilling_per_hour, 4)} an hour", glyphs, Tone.BACKFILL),
        fact("this month", money.money(owner.charged_this_month), glyphs),
    ]


def _told(frame: Frame, held: AccountMoney) -> Iterable[Region]:
    width, muted = frame.width, Tone.MUTED
    yield blank_region(width)
    subscriptions = [_subscription(frame, each) for each in held.subscriptions]
    words = fit_sentence("none: all that is used is burst; x s buys one", width - 3, frame.glyphs)
    none = [compose(width, left(2, words, muted))]
    titles = [left(34, "UNTIL", muted), left(48, "STATUS", muted)] if width >= 64 else []
    head = compose(width, left(2, "SUBSCRIPTIONS", muted), *(titles or [right(width - 2, "STATUS", muted)]))
    yield Lines(subscriptions or none, head=head)
    yield blank_region(width)
    titles = [right(width - 2, "BALANCE", muted), right(width - 16, "AMOUNT", muted)] if width >= 60 else []
    head = compose(width, left(2, "LEDGER", muted), *titles)
    yield Lines(_rows(frame, held.rows), [_key(row) for row in held.rows], head=head)
    more = held.rows_total - len(held.rows)
    if more > 0:
        words = f"and {more:,} older, which GET /ops/v1/billing/ledger pages"
        yield Lines([compose(width, left(2, fit_sentence(words, width - 3, frame.glyphs), muted))])


def _subscription(frame: Frame, each: SubscriptionRecord) -> Line:
    """`1.0 GHz of CPU   until 20 Dec 12:00   active, renews itself`."""
    width = frame.width
    what = money.what_text(each.resource, each.amount)
    tone = {"active": Tone.OK, "expired": Tone.MUTED}.get(each.status, Tone.TEXT)
    until = figures.or_dash(None if each.ends_at is None else figures.instant(each.ends_at, frame.now), frame.glyphs)
    status = f"{each.status}, renews" if each.renews else each.status
    if width < 64:
        room = max(1, width - 6 - len(status))
        return compose(width, left(2, fit_sentence(what, room, frame.glyphs)), right(width - 2, status, tone))
    price = [right(width - 2, money.money_in(10, each.price))] if width >= 80 else []
    return compose(
        width, left(2, fit_sentence(what, 31, frame.glyphs)), left(34, until), left(48, status, tone), *price
    )


def _rows(frame: Frame, rows: Sequence[LedgerRecord]) -> list[Line]:
    return [_row(frame, row) for row in rows]


def _row(frame: Frame, row: LedgerRecord) -> Line:
    width = frame.width
    when = figures.or_dash(None if row.at is None else figures.instant(row.at, frame.now), frame.glyphs)
    tone = _KIND_TONES.get(row.kind, Tone.TEXT)
    amount = money.money(-row.amount, 4)
    if width < 60:
        room = max(1, width - 4 - INSTANT_CELLS - len(amount) - 2)
        placed = [right(width - 2, amount, tone)]
    else:
        balance = figures.or_dash(None if row.balance is None else money.money_in(13, row.balance), frame.glyphs)
        room = max(1, width - 28 - INSTANT_CELLS - 2)
        placed = [right(width - 16, amount, tone), right(width - 2, balance, Tone.MUTED)]
    # When it was burnt is what the instant says.
    reason = row.reason.rpartition(" at ")[0].removeprefix("Burst: ") if row.kind == "burst" else row.reason
    said = fit_sentence(money.reason_text(reason or row.reason), room, frame.glyphs)
    return compose(width, left(2, when, Tone.MUTED), left(3 + INSTANT_CELLS, said, tone), *placed)
