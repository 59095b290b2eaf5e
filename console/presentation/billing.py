"""Money: what is burnt now, normal against backfilling, subscribed against burst, and what this month comes to.

Below it the burst levels of the last day and the next one, what each account has left, and what backfilling, shrinking
and stops came to for each owner and server. Backfilling is subscribed by nothing: there it is a dash, not zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from operator import attrgetter

from console.presentation import figures, filtering, sorting
from console.presentation.columns import Column, Kind, Table
from console.presentation.lines import (
    Frame,
    Line,
    Lines,
    Region,
    Rows,
    Span,
    Tone,
    View,
    at,
    blank_region,
    compose,
    fit_name,
    left,
    matched,
    retoned,
    right,
)
from console.presentation.mirror import Mirror
from console.records_billing import BackfilledRecord, Billing, BillingLine, BillingOwner, LevelHistory

ORDERS = ("saved", "shrunk", "stops", "paid", "name")
LEVELS_MAX = 20
HISTORY_HOURS = 24
LASTS_SECONDS_MAX = 10 * 365 * 86_400

_NAMES: Mapping[str, str] = {
    "cpu": "CPU",
    "mem": "memory",
    "intel_cpu": "CPU, Intel",
    "intel_mem": "memory, Intel",
    "bcpu": "backfill CPU",
    "bmem": "backfill memory",
    "dssd": "drives",
    "ip": "IPs",
    "vlan": "VLANs",
    "tx": "traffic",
}
LEVELS_HEIGHT_MIN, OWNERS_HEIGHT_MIN = 34, 28
"""Rows of the terminal below which these parts are left out."""
_GIB = 2**30
_UNITS: Mapping[str, tuple[str, int]] = {
    **dict.fromkeys(("cpu", "intel_cpu", "bcpu"), ("GHz", 1000)),
    **dict.fromkeys(("mem", "intel_mem", "bmem", "dssd"), ("GiB", _GIB)),
    "tx": ("MB/s", 10**6),
}
"""How an amount is shown, and how many base units make one of it; pieces are what is left."""


def view(mirror: Mirror, frame: Frame) -> View:
    found = mirror.billing
    problem = filtering.parse(frame.filter, COLUMNS).problem
    rows = [] if found is None else visible(found, frame)
    table = Table(COLUMNS, rows, _key, lambda _row: not mirror.is_offline)
    if found is None:
        instead = Lines([compose(frame.width, left(2, frame.glyphs.ellipsis, Tone.MUTED))])
        return View(
            "billing",
            ("billing",),
            frame.glyphs.nobody_said,
            (instead,),
            status=lambda _key: _asking(),
            table=table,
            problem=problem,
        )
    regions = tuple(_regions(frame, found, rows))
    if mirror.is_offline:
        regions = tuple(_dimmed(region) for region in regions)
    return View(
        "billing",
        ("billing",),
        _note(frame, found, rows),
        regions,
        status=lambda key: status(mirror, frame, key),
        orders=ORDERS,
        table=table,
        heads={"BACKFILLED": "name", "BACKFILLED THIS MONTH": "name"},
        problem=problem,
    )


def _regions(frame: Frame, found: Billing, rows: Sequence[BackfilledRecord]) -> Iterable[Region]:
    """What is burnt comes first; of a low terminal the accounts and the levels go, the rows of servers always stay."""
    yield Lines([_line(frame, line) for line in found.lines if _is_in_use(line)], head=_lines_head(frame, found))
    if frame.height >= OWNERS_HEIGHT_MIN:
        yield blank_region(frame.width)
    yield Lines(_totals(frame, found))
    yield blank_region(frame.width)
    if frame.height >= LEVELS_HEIGHT_MIN:
        yield Lines([line for each in found.history for line in _levels(frame, each)])
        yield blank_region(frame.width)
    by_owner: list[Line] = []
    if frame.height >= OWNERS_HEIGHT_MIN:
        yield Lines([_owner(frame, owner) for owner in found.owners], head=_owners_head(frame))
        yield blank_region(frame.width)
        by_owner = [_backfilled(frame, each, None) for each in found.by_owner]
    yield Lines(by_owner, head=_backfilled_head(frame))
    yield Rows(None, rows, lambda row: _backfilled(frame, row, row.server_id), _key)


def _key(row: BackfilledRecord) -> str:
    return row.server_id or row.owner


COLUMNS: tuple[Column[BackfilledRecord], ...] = (
    Column("name", attrgetter("name"), width=24, is_searched=True),
    Column("owner", attrgetter("owner"), width=24, is_searched=True),
    Column("paid", lambda row: float(row.paid), Kind.COUNT),
    Column("saved", lambda row: float(row.saved), Kind.COUNT),
    Column("shrunk", lambda row: float(row.not_billed), Kind.COUNT),
    Column("stops", attrgetter("stops"), Kind.COUNT),
    Column("lost", lambda row: float(row.lost), Kind.COUNT),
    Column("id", attrgetter("server_id"), Kind.ID, width=36, is_searched=True),
)
"""What the row of a backfilled server is as values; money is in the cloud's currency."""


def _dimmed(region: Region) -> Region:
    lines = [retoned(region.line(index), Tone.UNKNOWN) for index in range(len(region))]
    return Lines(lines, [region.key(index) for index in range(len(region))], head=region.head)


def _asking() -> Line:
    return (Span("asking what things cost", Tone.MUTED),)


def visible(found: Billing, frame: Frame) -> list[BackfilledRecord]:
    """The servers to show, in order."""
    kept = list(filtering.matching(found.servers, filtering.parse(frame.filter, COLUMNS), COLUMNS))
    column = sorting.column_of(frame, ORDERS, COLUMNS)
    if column is not None:
        return sorting.ordered(kept, column, is_descending=frame.is_descending)
    match frame.sort:
        case "shrunk":
            kept.sort(key=lambda row: (-row.not_billed, row.name or "", row.server_id))
        case "stops":
            kept.sort(key=lambda row: (-row.stops, -row.lost, row.name or "", row.server_id))
        case "paid":
            kept.sort(key=lambda row: (-row.paid, row.name or "", row.server_id))
        case "name":
            kept.sort(key=lambda row: (row.name or "", row.server_id))
        case _:
            kept.sort(key=lambda row: (-row.saved, row.name or "", row.server_id))
    return kept[::-1] if frame.is_descending else kept


def _note(frame: Frame, found: Billing, rows: list[BackfilledRecord]) -> str:
    number = filtering.number_of(len(rows), len(found.servers), frame.filter)
    return f"{sorting.note_of(frame, ORDERS, COLUMNS)}   {number} backfilled   {found.currency}"


# Figures ----------------------------------------------------------------------------------------------------------


def money(amount: Decimal, places: int = 2) -> str:
    """`8,412.06`. What is too small for its places, and not nothing, is not written as nothing."""
    text = f"{amount:,.{places}f}"
    if amount and not Decimal(text.replace(",", "")):
        return f"<{Decimal(1).scaleb(-places)}"
    return text


def money_in(room: int, amount: Decimal) -> str:
    """With as many digits as there is room for, so that no two figures touch: `21,238`, `1.2M`."""
    for text in (money(amount), f"{amount:,.0f}", f"{amount / 10**6:,.1f}M", f"{amount / 10**9:,.1f}G"):
        if len(text) <= room:
            return text
    return f"{amount:.0e}"


def amount_text(line: BillingLine, amount: int) -> str:
    _, whole = _UNITS.get(line.resource, ("", 1))
    return f"{amount:,}" if whole == 1 else f"{amount / whole:,.1f}"


def _is_in_use(line: BillingLine) -> bool:
    """CPU and memory of both kinds of servers always; of all else what there is."""
    return line.resource in ("cpu", "mem", "bcpu", "bmem") or bool(line.using or line.subscribed)


# What is used ------------------------------------------------------------------------------------------------------


def _columns(width: int) -> dict[str, int]:
    """The last cell of each column that there is room for. PRICE goes first, then SUBSCRIBED."""
    if width < 50:
        return {"USING": 27, "/h": width - 2}
    if width < 80:
        return {"USING": 28, "BURST": 39, "UNIT": 44, "/h": width - 2}
    return {"USING": 28, "SUBSCRIBED": 40, "BURST": 50, "UNIT": 55, "PRICE": 66, "/h": 78}


def _lines_head(frame: Frame, found: Billing) -> Line:
    titles = [right(last, f"{found.currency}/h" if name == "/h" else name, Tone.MUTED)
              for name, last in _columns(frame.width).items()]  # fmt: skip
    return compose(frame.width, left(2, "RESOURCE", Tone.MUTED), *titles)


def _line(frame: Frame, line: BillingLine) -> Line:
    tone = Tone.BACKFILL if line.is_backfilling else Tone.TEXT
    sign = frame.glyphs.backfill if line.is_backfilling else " "
    subscribed = None if line.subscribed is None else amount_text(line, line.subscribed)
    texts = {
        "USING": (amount_text(line, line.using), tone),
        "SUBSCRIBED": (figures.or_dash(subscribed, frame.glyphs), Tone.MUTED if subscribed is None else Tone.TEXT),
        "BURST": (amount_text(line, line.burst), tone),
        "UNIT": (_UNITS.get(line.resource, ("", 1))[0], Tone.MUTED),
        "PRICE": (f"{line.price:.4f}", Tone.MUTED),
        "/h": (money(line.cost_per_hour), tone),
    }
    placed = [right(last, *texts[name]) for name, last in _columns(frame.width).items()]
    return compose(frame.width, left(2, sign, tone), left(4, _NAMES.get(line.resource, line.resource), tone), *placed)


def _totals(frame: Frame, found: Billing) -> list[Line]:
    last = _columns(frame.width)["/h"]
    left_at = figures.day(found.month_ends_at - timedelta(seconds=1)) if found.month_ends_at else "its end"
    rows = (
        ("burst, now", found.burst_per_hour, Tone.ACCENT),
        (f"{frame.glyphs.backfill} of it backfilling", found.backfilling_per_hour, Tone.BACKFILL),
        (f"{frame.glyphs.backfill} at the normal price", found.at_normal_price_per_hour, Tone.MUTED),
        ("this month so far", found.charged_this_month, Tone.TEXT),
        (f"until {left_at} at this rate", found.projected_this_month, Tone.WARN),
    )
    return [
        compose(frame.width, left(2, words, tone), right(last, money(amount), tone, bold=tone is Tone.ACCENT))
        for words, amount, tone in rows
    ]


# Levels ------------------------------------------------------------------------------------------------------------


def _levels(frame: Frame, found: LevelHistory) -> tuple[Line, ...]:
    """The level now as a bar, the next one, and the last day hour by hour where there is room for it."""
    now = level_at(found, frame)
    filled = frame.glyphs.normal * now + frame.glyphs.nothing * (LEVELS_MAX - now)
    name = _NAMES.get(found.follows, found.follows)
    following = Tone.MUTED if found.next_level == now else Tone.WARN
    from_ = f" from {found.next_at:%H:%M}" if found.next_at is not None else ""
    if frame.width < 60:
        return (
            compose(
                frame.width,
                left(2, f"{name} level {now}", Tone.TEXT),
                right(frame.width - 2, f"{found.next_level}{from_}", following),
            ),
        )
    placed = [
        left(2, f"{name} level", Tone.MUTED),
        right(17, f"{now}", Tone.TEXT),
        left(19, filled, Tone.TEXT),
        left(41, f"then {found.next_level}{from_}", following),
    ]
    if frame.width >= 80:
        placed.append(right(78, by_hour(frame, found), Tone.MUTED))
    return (compose(frame.width, *placed),)


def level_at(found: LevelHistory, frame: Frame) -> int:
    """The level now, or 1 where nothing was ever told."""
    return found.levels[-1][1] if found.levels else 1


def by_hour(frame: Frame, found: LevelHistory) -> str:
    """The highest level of every second hour of the last day, oldest first, as heights; blank where none was told."""
    signs, text = frame.glyphs.density, ""
    for hour in range(HISTORY_HOURS, 0, -2):
        begins, ends = frame.now - timedelta(hours=hour), frame.now - timedelta(hours=hour - 2)
        before = [level for at_, level in found.levels if at_ <= begins][-1:]
        levels = before + [level for at_, level in found.levels if begins < at_ <= ends]
        text += signs[(max(levels) - 1) * len(signs) // LEVELS_MAX] if levels else " "
    return text


# Accounts ----------------------------------------------------------------------------------------------------------


def _owners_head(frame: Frame) -> Line:
    width, muted = frame.width, Tone.MUTED
    if width < 80:
        return compose(width, left(2, "ACCOUNT", muted), right(width - 2, "BALANCE", muted))
    return compose(
        width,
        left(2, "ACCOUNT", muted),
        right(42, "BALANCE", muted),
        right(51, "LASTS", muted),
        right(60, "normal/h", muted),
        right(69, f"{frame.glyphs.backfill} /h", muted),
        right(78, "MONTH", muted),
    )


def _owner(frame: Frame, owner: BillingOwner) -> Line:
    width = frame.width
    tone = Tone.CRIT if owner.is_finite and owner.balance <= 0 else Tone.TEXT
    lasts = _lasts(owner, frame)
    balance = money(owner.balance)
    if width < 80:
        name = fit_name(owner.account, max(1, width - 6 - len(balance)), frame.glyphs)
        return compose(width, left(2, name), right(width - 2, balance, tone))
    return compose(
        width,
        left(2, fit_name(owner.account, 27, frame.glyphs)),
        right(42, money_in(13, owner.balance), tone),
        right(51, lasts, Tone.TEXT if owner.is_finite else Tone.MUTED),
        right(60, money_in(8, owner.normal_per_hour)),
        right(69, money_in(8, owner.backfilling_per_hour), Tone.BACKFILL),
        right(78, money_in(8, owner.charged_this_month)),
    )


def _lasts(owner: BillingOwner, frame: Frame) -> str:
    seconds = owner.lasts_seconds
    if seconds is not None and seconds > LASTS_SECONDS_MAX:
        return frame.glyphs.endless
    return figures.or_dash(None if seconds is None else figures.age(seconds), frame.glyphs)


# Backfilling this month --------------------------------------------------------------------------------------------


def _backfilled_head(frame: Frame) -> Line:
    width, muted = frame.width, Tone.MUTED
    if width < 80:
        return compose(width, left(2, "BACKFILLED", muted), right(width - 2, "SAVED", muted))
    return compose(
        width,
        left(2, "BACKFILLED THIS MONTH", muted),
        right(42, "PAID", muted),
        right(52, "SAVED", muted),
        right(62, "SHRUNK", muted),
        right(69, "STOPS", muted),
        right(78, "LOST", muted),
    )


def _backfilled(frame: Frame, row: BackfilledRecord, server_id: str | None) -> Line:
    """Of a server; of all of an owner's without its id."""
    width, glyphs = frame.width, frame.glyphs
    name = row.owner if server_id is None else row.name or server_id
    tone = Tone.BACKFILL if server_id is None else Tone.TEXT
    room = 30 if width >= 80 else max(1, width - 16)
    title = matched(Span(fit_name(name, room, glyphs), tone), frame.filter)
    saved = Tone.OK if row.saved > 0 else Tone.MUTED
    if width < 80:
        return compose(width, at(2, title), right(width - 2, money(row.saved), saved))
    return compose(
        width,
        at(2, title),
        right(42, money_in(11, row.paid)),
        right(52, money_in(9, row.saved), saved),
        right(62, money_in(9, row.not_billed) if row.not_billed else glyphs.nothing),
        right(69, f"{row.stops:,}" if row.stops else glyphs.nothing, Tone.WARN if row.stops else Tone.MUTED),
        right(78, money_in(8, row.lost) if row.lost else glyphs.nothing, Tone.WARN if row.lost else Tone.MUTED),
    )


def status(mirror: Mirror, frame: Frame, key: str | None) -> Line:
    found = mirror.billing
    if found is None:
        return _asking()
    row = next((each for each in found.servers if each.server_id == key), None)
    if row is None:
        return (Span("burst = using - subscribed, every 5 min; nothing covers backfilling", Tone.MUTED),)
    stops = f"; {row.stops:,} stops lost {money(row.lost)}" if row.stops else ""
    sentence = (
        f"{row.name or key}: {money(row.paid)} paid, {money(row.saved)} less than as a normal server; "
        f"shrinking took {money(row.not_billed)} worth{stops}"
    )
    return (Span(sentence, Tone.MUTED),)
