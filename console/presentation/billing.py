"""Money: what is burnt now, normal against backfilling, subscribed against burst, and what this month comes to.

Below it the burst levels of the last day and the next one, what each account has left and its share of what is burnt,
and what each server costs, with what backfilling, shrinking and stops came to. Backfilling is subscribed by nothing:
there it is a dash, not zero. Cells that are billed by what was last known of them are named above all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from operator import attrgetter

from console.presentation import figures, filtering, money, sorting
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
    cells,
    compose,
    fit_name,
    fit_sentence,
    left,
    matched,
    retoned,
    right,
    wrap,
)
from console.presentation.mirror import Mirror
from console.records_billing import Billing, BillingLine, BillingOwner, CostRecord, LevelHistory

ORDERS = ("cost", "saved", "shrunk", "stops", "name")
LEVELS_MAX = 20
HISTORY_HOURS = 24
NARROW = 50
"""Below so many columns words are shorter."""
SHORT_SECONDS = 5 * 86_400
"""What is started must be paid for as long."""

UNIT_WIDTH_MIN = 56
CHANGES_TOLD = 3
SCALE_COLUMN = 63
SILENT_NAMED_MAX = 3
LEVELS_HEIGHT_MIN, OWNERS_HEIGHT_MIN = 20, 28
"""Rows of the terminal below which these parts are left out."""
LEVELS_WHOLE_HEIGHT_MIN = 34
"""Below so many, all levels are one line."""


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
        heads={"SERVER": "name", "MONTH": "cost"},
        problem=problem,
    )


def _regions(frame: Frame, found: Billing, rows: Sequence[CostRecord]) -> Iterable[Region]:
    """What is burnt comes first; of a low terminal what owners backfilled goes and levels are told in brief."""
    is_high = frame.height >= OWNERS_HEIGHT_MIN
    if found.silent:
        yield Lines(list(_silent(frame, found.silent)))
    yield Lines([_line(frame, line) for line in found.lines if _is_in_use(line)], head=_lines_head(frame, found))
    if is_high:
        yield blank_region(frame.width)
    yield Lines(_totals(frame, found))
    if frame.height >= LEVELS_WHOLE_HEIGHT_MIN:
        yield blank_region(frame.width)
        yield Lines([line for each in found.history for line in _levels(frame, each)])
    elif frame.height >= LEVELS_HEIGHT_MIN:
        yield Lines([_levels_brief(frame, found.history)])
    if is_high:
        yield blank_region(frame.width)
    yield Lines(
        [_owner(frame, owner, found.burst_per_hour) for owner in found.owners],
        [f"account:{owner.account}" for owner in found.owners],
        head=_owners_head(frame),
    )
    if is_high and found.by_owner:
        yield blank_region(frame.width)
        yield Lines([_backfilled(frame, each) for each in found.by_owner], head=_backfilled_head(frame, found))
    yield blank_region(frame.width)
    yield Rows(_servers_head(frame, found), rows, lambda row: _server(frame, row), _key)
    left_out = found.servers_total - len(found.servers)
    if left_out > 0:
        words = f"and {left_out:,} more that came to less: d on a server, in its own list, says what it costs"
        yield Lines([compose(frame.width, left(2, fit_sentence(words, frame.width - 3, frame.glyphs), Tone.MUTED))])


def _silent(frame: Frame, cells: Sequence[str]) -> Iterable[Line]:
    """What is told of servers that do not tell themselves, and what becomes of it."""
    names = ", ".join(cells[:SILENT_NAMED_MAX])
    names += f" and {len(cells) - SILENT_NAMED_MAX} more" if len(cells) > SILENT_NAMED_MAX else ""
    words = f"{names} {'do' if len(cells) > 1 else 'does'} not answer: billed as last known; corrections follow"
    for text in wrap(words, max(1, frame.width - 5)):
        yield compose(frame.width, left(2, frame.glyphs.unknown, Tone.UNKNOWN), left(4, text, Tone.UNKNOWN))


def _key(row: CostRecord) -> str:
    return row.server_id or ""


COLUMNS: tuple[Column[CostRecord], ...] = (
    Column("name", attrgetter("name"), width=24, is_searched=True),
    Column("owner", attrgetter("owner"), width=24, is_searched=True),
    Column(
        "kind",
        lambda row: "backfilling" if row.is_backfilling else "normal",
        Kind.WORD,
        width=11,
        words=("normal", "backfilling"),
    ),
    Column("now", lambda row: float(row.per_hour), Kind.COUNT),
    Column("cost", lambda row: float(row.this_month), Kind.COUNT),
    Column("paid", lambda row: float(row.paid), Kind.COUNT),
    Column("saved", lambda row: float(row.saved), Kind.COUNT),
    Column("shrunk", lambda row: float(row.not_billed), Kind.COUNT),
    Column("stops", attrgetter("stops"), Kind.COUNT),
    Column("lost", lambda row: float(row.lost), Kind.COUNT),
    Column("net", lambda row: float(row.net), Kind.COUNT),
    Column("id", attrgetter("server_id"), Kind.ID, width=36, is_searched=True),
)
"""What the row of a server is as values; money is in the cloud's currency."""


def _dimmed(region: Region) -> Region:
    lines = [retoned(region.line(index), Tone.UNKNOWN) for index in range(len(region))]
    return Lines(lines, [region.key(index) for index in range(len(region))], head=region.head)


def _asking() -> Line:
    return (Span("asking what things cost", Tone.MUTED),)


def visible(found: Billing, frame: Frame) -> list[CostRecord]:
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
        case "saved":
            kept.sort(key=lambda row: (-row.saved, row.name or "", row.server_id))
        case "name":
            kept.sort(key=lambda row: (row.name or "", row.server_id))
        case _:
            kept.sort(key=lambda row: (-row.this_month, row.name or "", row.server_id))
    return kept[::-1] if frame.is_descending else kept


def _note(frame: Frame, found: Billing, rows: list[CostRecord]) -> str:
    number = filtering.number_of(len(rows), len(found.servers), frame.filter)
    return f"{sorting.note_of(frame, ORDERS, COLUMNS)}   {number} servers   {found.currency}"


# What is used ------------------------------------------------------------------------------------------------------


def _is_in_use(line: BillingLine) -> bool:
    """CPU and memory of both kinds of servers always; of all else what there is."""
    return line.resource in ("cpu", "mem", "bcpu", "bmem") or bool(line.using or line.subscribed)


def _columns(width: int) -> dict[str, int]:
    """The last cell of each column that there is room for. PRICE goes first, then SUBSCRIBED."""
    if width < 50:
        return {"USING": 27, "/h": width - 2}
    if width < 80:
        unit = {"UNIT": 44} if width >= UNIT_WIDTH_MIN else {}
        return {"USING": 28, "BURST": 39, **unit, "/h": width - 2}
    return {"USING": 28, "SUBSCRIBED": 40, "BURST": 50, "UNIT": 55, "PRICE": 62, "/h": 78}


def _lines_head(frame: Frame, found: Billing) -> Line:
    titles = [right(last, f"{found.currency}/h" if name == "/h" else name, Tone.MUTED)
              for name, last in _columns(frame.width).items()]  # fmt: skip
    return compose(frame.width, left(2, "RESOURCE", Tone.MUTED), *titles)


def _line(frame: Frame, line: BillingLine) -> Line:
    tone = Tone.BACKFILL if line.is_backfilling else Tone.TEXT
    sign = frame.glyphs.backfill if line.is_backfilling else " "
    subscribed = None if line.subscribed is None else money.amount_text(line.resource, line.subscribed)
    texts = {
        "USING": (money.amount_text(line.resource, line.using), tone),
        "SUBSCRIBED": (figures.or_dash(subscribed, frame.glyphs), Tone.MUTED if subscribed is None else Tone.TEXT),
        "BURST": (money.amount_text(line.resource, line.burst), tone),
        "UNIT": (money.unit_of(line.resource), Tone.MUTED),
        "PRICE": (f"{line.price:.4f}", Tone.MUTED),
        "/h": (money.money(line.cost_per_hour), tone),
    }
    columns = _columns(frame.width)
    placed = [right(last, *texts[name]) for name, last in columns.items()]
    if "PRICE" in columns:
        placed.append(left(columns["PRICE"], money.period_of(line.resource), Tone.MUTED))
    return compose(
        frame.width, left(2, sign, tone), left(4, money.NAMES.get(line.resource, line.resource), tone), *placed
    )


def _totals(frame: Frame, found: Billing) -> list[Line]:
    last = _columns(frame.width)["/h"]
    net = sum((each.net for each in found.by_owner), Decimal(0))
    left_at = figures.day(found.month_ends_at - timedelta(seconds=1)) if found.month_ends_at else "its end"
    saved = "saved, less what stops lost" if frame.width >= NARROW else "saved, less lost"
    rows = (
        ("burst, now", found.burst_per_hour, Tone.ACCENT),
        (f"{frame.glyphs.backfill} of it backfilling", found.backfilling_per_hour, Tone.BACKFILL),
        (f"{frame.glyphs.backfill} at the normal price", found.at_normal_price_per_hour, Tone.MUTED),
        ("this month so far", found.charged_this_month, Tone.TEXT),
        (f"until {left_at} at this rate", found.projected_this_month, Tone.WARN),
        (f"{frame.glyphs.backfill} {saved}", net, Tone.OK if net > 0 else Tone.WARN),
    )
    lines = []
    for words, amount, tone in rows:
        figure = money.money(amount)
        said = fit_sentence(words, max(1, last - len(figure) - 3), frame.glyphs)
        lines.append(compose(frame.width, left(2, said, tone), right(last, figure, tone, bold=tone is Tone.ACCENT)))
    return lines


# Levels ------------------------------------------------------------------------------------------------------------


def _levels_brief(frame: Frame, history: Sequence[LevelHistory]) -> Line:
    """`price levels   CPU 13 ▁▃▅   memory 5 then 6 ▁▁▂   24 h`: now, the next if another, and the last day."""
    spans = [Span("price levels", Tone.MUTED)]
    for found in history:
        now = level_at(found, frame)
        spans.append(Span(f"   {money.NAMES.get(found.follows, found.follows)} {now}", Tone.TEXT))
        if found.next_level != now:
            spans.append(Span(f" then {found.next_level}", Tone.WARN))
        if frame.width >= 80:
            spans.append(Span(f" {by_hour(frame, found)}", Tone.MUTED))
    if frame.width < 80:
        return compose(frame.width, at(2, tuple(spans)))
    return compose(frame.width, at(2, tuple(spans)), right(78, "24 h", Tone.MUTED))


def _levels(frame: Frame, found: LevelHistory) -> tuple[Line, ...]:
    """The level now as a bar, the next one, and the last day hour by hour where there is room for it."""
    now = level_at(found, frame)
    filled = frame.glyphs.normal * now + frame.glyphs.nothing * (LEVELS_MAX - now)
    name = money.NAMES.get(found.follows, found.follows)
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
    return (compose(frame.width, *placed), compose(frame.width, left(19, since_when(frame, found), Tone.MUTED)))


def since_when(frame: Frame, found: LevelHistory) -> str:
    """`since 13:30; 8 from 13:00; 24 h to now, 2 h a sign`: the latest levels with their instants, and the scale."""
    if not found.levels:
        return ""
    *before, (since, _) = found.levels[-CHANGES_TOLD:]
    told = "; ".join(f"{level} from {figures.instant(at_, frame.now)}" for at_, level in reversed(before))
    words = f"since {figures.instant(since, frame.now)}" + (f"; {told}" if told else "")
    scale = "24 h, 2 h a sign"
    room = SCALE_COLUMN - 19
    return f"{fit_sentence(words, room - 2, frame.glyphs):<{room}}{scale}" if frame.width >= 80 else words


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


HELD = "held"
"""Of an account that is held to its balance."""


def _owners_head(frame: Frame) -> Line:
    width, muted = frame.width, Tone.MUTED
    if width < 80:
        return compose(width, left(2, "ACCOUNT", muted), right(width - 2, "BALANCE", muted))
    return compose(
        width,
        left(2, "ACCOUNT", muted),
        right(39, "BALANCE", muted),
        right(47, "LASTS", muted),
        right(56, "normal/h", muted),
        right(64, f"{frame.glyphs.backfill} /h", muted),
        right(70, "SHARE", muted),
        right(78, "MONTH", muted),
    )


def _owner(frame: Frame, owner: BillingOwner, burst_per_hour: Decimal) -> Line:
    """Who is held to a balance is marked, and warns when that does not last."""
    width = frame.width
    tone = Tone.TEXT if not owner.is_finite else _held_tone(owner)
    balance = money.money(owner.balance)
    mark = [Span(f" {HELD}", Tone.ACCENT)] if owner.is_finite else []
    room = (24 if width >= 80 else max(1, width - 6 - len(balance))) - sum(len(span.text) for span in mark)
    name = fit_name(owner.account, max(1, room), frame.glyphs)
    placed = [left(2, name), *(at(2 + cells(name), (span,)) for span in mark)]
    if width < 80:
        return compose(width, *placed, right(width - 2, balance, tone))
    burnt = owner.normal_per_hour + owner.backfilling_per_hour
    share = f"{burnt / burst_per_hour:.0%}" if burst_per_hour > 0 else frame.glyphs.nothing
    return compose(
        width,
        *placed,
        right(39, money.money_in(13, owner.balance), tone),
        right(
            47,
            money.lasts_text(owner.balance, owner.lasts_seconds, frame.glyphs),
            tone if owner.is_finite else Tone.MUTED,
        ),
        right(56, money.money_in(8, owner.normal_per_hour)),
        right(64, money.money_in(7, owner.backfilling_per_hour), Tone.BACKFILL),
        right(70, share, Tone.MUTED),
        right(78, money.money_in(7, owner.charged_this_month)),
    )


def _held_tone(owner: BillingOwner) -> Tone:
    if owner.balance <= 0:
        return Tone.CRIT
    return Tone.WARN if owner.lasts_seconds is not None and owner.lasts_seconds < SHORT_SECONDS else Tone.TEXT


# Backfilling this month --------------------------------------------------------------------------------------------


def _backfilled_head(frame: Frame, found: Billing) -> Line:
    width, muted = frame.width, Tone.MUTED
    if width < 80:
        return compose(width, left(2, "BACKFILLED", muted), right(width - 2, "SAVED", muted))
    titles = (("PAID", 38), ("SAVED", 47), ("SHRUNK", 55), ("STOPS", 61), ("LOST", 69), ("NET", 78))
    words = left(2, f"BACKFILLED THIS MONTH, {found.currency}", muted)
    return compose(width, words, *(right(last, title, muted) for title, last in titles))


def _backfilled(frame: Frame, row: CostRecord) -> Line:
    """What all of an owner's backfilling came to."""
    width, glyphs = frame.width, frame.glyphs
    saved = Tone.OK if row.saved > 0 else Tone.MUTED
    if width < 80:
        name = fit_name(row.owner, max(1, width - 16), glyphs)
        return compose(width, left(2, name, Tone.BACKFILL), right(width - 2, money.money(row.saved), saved))
    return compose(
        width,
        left(2, fit_name(row.owner, 26, glyphs), Tone.BACKFILL),
        right(38, money.money_in(8, row.paid)),
        right(47, money.money_in(8, row.saved), saved),
        right(55, *_or_nothing(frame, row.not_billed, 7, Tone.TEXT)),
        right(61, f"{row.stops:,}" if row.stops else glyphs.nothing, Tone.WARN if row.stops else Tone.MUTED),
        right(69, *_or_nothing(frame, row.lost, 7, Tone.WARN)),
        right(78, money.money_in(8, row.net), Tone.OK if row.net > 0 else Tone.WARN),
    )


def _or_nothing(frame: Frame, amount: Decimal, room: int, tone: Tone) -> tuple[str, Tone]:
    return (money.money_in(room, amount), tone) if amount else (frame.glyphs.nothing, Tone.MUTED)


def _servers_head(frame: Frame, found: Billing) -> Line:
    width, muted = frame.width, Tone.MUTED
    if width < 80:
        return compose(width, left(2, "SERVER", muted), right(width - 2, "MONTH", muted))
    titles = (("NOW/h", 38), ("MONTH", 47), ("SAVED", 55), ("SHRUNK", 63), ("STOPS", 69), ("LOST", 78))
    unit = left(10, f"in {found.currency}", muted)
    return compose(width, left(2, "SERVER", muted), unit, *(right(last, title, muted) for title, last in titles))


def _server(frame: Frame, row: CostRecord) -> Line:
    width, glyphs = frame.width, frame.glyphs
    sign, tone = (glyphs.backfill, Tone.BACKFILL) if row.is_backfilling else (" ", Tone.TEXT)
    name = fit_name(row.name or row.server_id or "", 25 if width >= 80 else max(1, width - 18), glyphs)
    placed = [left(2, sign, tone), at(4, matched(Span(name), frame.filter))]
    if width < 80:
        return compose(width, *placed, right(width - 2, money.money(row.this_month)))
    return compose(
        width,
        *placed,
        right(38, money.rate_in(8, row.per_hour) if row.per_hour else glyphs.nothing, Tone.TEXT),
        right(47, money.money_in(8, row.this_month)),
        right(55, *_or_nothing(frame, row.saved, 7, Tone.OK)),
        right(63, *_or_nothing(frame, row.not_billed, 7, Tone.TEXT)),
        right(69, f"{row.stops:,}" if row.stops else glyphs.nothing, Tone.WARN if row.stops else Tone.MUTED),
        right(78, *_or_nothing(frame, row.lost, 8, Tone.WARN)),
    )


def status(mirror: Mirror, frame: Frame, key: str | None) -> Line:
    found = mirror.billing
    if found is None:
        return _asking()
    kind, _, name = (key or "").partition(":")
    owner = next((each for each in found.owners if kind == "account" and each.account == name), None)
    if owner is not None:
        held = "held to its balance" if owner.is_finite else "not held to its balance"
        return (Span(f"{name}: {held}; enter: its ledger, x: a balance", Tone.MUTED),)
    row = next((each for each in found.servers if each.server_id == key), None)
    if row is None:
        return (Span("burst = using - subscribed, every 5 min; nothing covers backfilling", Tone.MUTED),)
    return (Span(f"{row.name or key}: {sentence_of(row)}", Tone.MUTED),)


def sentence_of(row: CostRecord) -> str:
    """What a server came to, as words."""
    rate = f"{money.money(row.per_hour, 4)} an hour now" if row.per_hour else "nothing now"
    now = f"{rate}, {money.money(row.this_month)} this month"
    if not row.is_backfilling:
        return f"{now}, at burst prices; its drives are billed apart"
    plural = "s" if row.stops != 1 else ""
    stops = f"; {row.stops:,} stop{plural} lost {money.money(row.lost)}" if row.stops else ""
    shrunk = f"; shrinking took {money.money(row.not_billed)} worth" if row.not_billed else ""
    return f"{now}, {money.money(row.saved)} less than as a normal server{shrunk}{stops}"
