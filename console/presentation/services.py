"""The Compute API's services: what is down first, then what nobody knows, then what is disabled, then the calm rest.

A row of a cell that does not answer says UNKNOWN, which is all that the API says of it, and beside it what was last
known. The conductor of such a cell is in no row: only the cell itself knows it, and `os-services` leaves it out too.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter

from console.presentation import chosen, figures, filtering, sorting
from console.presentation.columns import Column, Kind, Table
from console.presentation.facts import Fact, fact
from console.presentation.figures import StateLook
from console.presentation.lines import (
    UNICODE,
    Frame,
    Glyphs,
    Line,
    Lines,
    Region,
    Rows,
    Span,
    Tone,
    View,
    at,
    compose,
    fit_name,
    left,
    matched,
    remark,
    right,
)
from console.presentation.mirror import Mirror
from console.records import UNKNOWN
from console.records_services import ServiceRecord

ORDERS = ("state", "host", "binary", "cell")
COMPUTE = "nova-compute"
CENTRAL = "central"
"""Where a service is that belongs to no cell."""


def view(mirror: Mirror, frame: Frame) -> View:
    """The services, or those of the cell that `frame.scope` names."""
    known = columns(frame)
    shown = visible(mirror, frame)
    table = Table(known, shown, attrgetter("key"), lambda service: not service.is_unknown)
    region: Region
    if shown and chosen.is_asked(table, frame, frame.width):
        region = chosen.region(table, frame, frame.width)
    elif shown:
        region = Rows(_head(frame), shown, lambda service: row(mirror, frame, service), lambda service: service.key)
    else:
        region = Lines([remark(frame, _instead(mirror, frame))], head=_head(frame))
    return View(
        "services",
        ("cells", frame.scope, "services") if frame.scope else ("services",),
        _note(mirror, frame, shown),
        (region,),
        status=lambda key: status(mirror, frame, key),
        orders=ORDERS,
        table=table,
        heads={"SERVICE": "binary", "UPDATED": "age", "LAST": "age"},
        problem=filtering.parse(frame.filter, known).problem,
    )


def columns(frame: Frame) -> tuple[Column[ServiceRecord], ...]:
    """What a service's row is as values."""
    return (
        Column("state", lambda service: UNKNOWN if service.is_unknown else service.state, Kind.WORD, width=10,
               is_searched=True, words=("up", "down", UNKNOWN),
               draw=lambda service: chosen.state(look(service, frame.glyphs))),
        Column("binary", attrgetter("binary"), head="SERVICE", width=16, is_searched=True),
        Column("host", attrgetter("host"), width=14, is_searched=True),
        Column("status", attrgetter("status"), Kind.WORD, width=10, is_searched=True, words=("enabled", "disabled")),
        Column("cell", lambda service: service.cell or CENTRAL, width=10, is_searched=True),
        Column("age", lambda service: figures.seconds_since(service.updated_at, frame.now), Kind.SECONDS, "AGE", 7),
    )  # fmt: skip


def visible(mirror: Mirror, frame: Frame) -> list[ServiceRecord]:
    """Those to show, in order."""
    known = columns(frame)
    in_scope = [service for service in mirror.services or () if frame.scope in (None, service.cell)]
    found = filtering.matching(in_scope, filtering.parse(frame.filter, known), known)
    if frame.sort in ORDERS or not any(column.name == frame.sort for column in known):
        return sorted(found, key=lambda service: _order_key(frame, service), reverse=frame.is_descending)
    return list(sorting.as_asked(sorted(found, key=lambda each: _order_key(frame, each)), frame, known))


def _order_key(frame: Frame, service: ServiceRecord) -> tuple[object, ...]:
    worst = (look(service).rank, service.cell is not None, service.cell or "", service.binary, service.host)
    match frame.sort:
        case "host":
            return (service.host, *worst)
        case "binary":
            return (service.binary, *worst)
        case "cell":
            return (service.cell or "", *worst)
        case _:
            return worst


def look(service: ServiceRecord, glyphs: Glyphs = UNICODE) -> StateLook:
    if service.is_unknown:
        return StateLook(glyphs.unknown, "UNKNOWN", Tone.UNKNOWN, "U", 1)
    if service.state == "down":
        return StateLook(glyphs.lost, "down", Tone.CRIT, "X", 0)
    if service.status == "disabled":
        return StateLook(glyphs.maintenance, "up", Tone.WARN, "M", 2)
    return StateLook(glyphs.running, "up", Tone.OK, "R", 3)


def _instead(mirror: Mirror, frame: Frame) -> str:
    if mirror.services is None:
        return frame.glyphs.ellipsis
    if frame.filter:
        return f"no services match /{frame.filter}   esc clears the filter"
    return f"no services in {frame.scope}   esc goes back" if frame.scope else "this cloud names no services"


def _note(mirror: Mirror, frame: Frame, shown: list[ServiceRecord]) -> str:
    order = frame.sort if frame.sort in sorting.names(ORDERS, columns(frame)) else ORDERS[0]
    total = mirror.services
    if total is None:
        return frame.glyphs.nobody_said
    number = f"{len(shown):,} of {len(total):,}" if frame.filter or frame.scope else f"{len(total):,}"
    return f"sort {order}{' down' if frame.is_descending else ''}   {number}"


# Rows ------------------------------------------------------------------------------------------------------------


def _head(frame: Frame) -> Line:
    width, muted = frame.width, Tone.MUTED
    if width < 60:
        return compose(width, left(2, "HOST", muted), left(17, "SERVICE", muted), right(width - 2, "STATUS", muted))
    placed = [left(2, "STATE", muted), left(12, "SERVICE", muted), left(28, "HOST", muted), left(42, "STATUS", muted)]
    if width < 80:
        return compose(width, *placed, right(58, "LAST", muted))
    return compose(width, *placed, left(52, "CELL", muted), left(61, "LAST KNOWN", muted), right(78, "UPDATED", muted))


def row(mirror: Mirror, frame: Frame, service: ServiceRecord) -> Line:
    width, glyphs = frame.width, frame.glyphs
    is_known = not (service.is_unknown or mirror.is_offline)
    tone = Tone.TEXT if is_known else Tone.UNKNOWN
    shape = look(service, glyphs)
    state_tone = shape.tone if is_known else Tone.UNKNOWN
    status_tone = Tone.WARN if service.status == "disabled" and is_known else tone
    if width < 60:
        return compose(
            width,
            left(1, shape.glyph, state_tone),
            _host(frame, service, 2, 14, tone),
            left(17, fit_name(service.binary, max(1, width - 27), glyphs), tone),
            right(width - 2, service.status, status_tone),
        )
    placed = [
        left(2, shape.glyph, state_tone),
        left(4, shape.word, state_tone),
        left(12, fit_name(service.binary, 15, glyphs), tone),
        _host(frame, service, 28, 13, tone),
        left(42, service.status, status_tone),
    ]
    last = last_known(service, glyphs)
    if width < 80:
        return compose(width, *placed, right(58, last, tone))
    placed += [
        left(52, fit_name(service.cell or CENTRAL, 8, glyphs), tone if service.cell else Tone.MUTED),
        left(61, last, Tone.UNKNOWN if service.is_unknown else Tone.MUTED),
        right(78, _age(mirror, frame, service), tone),
    ]
    return compose(width, *placed)


def _host(frame: Frame, service: ServiceRecord, column: int, width: int, tone: Tone) -> tuple[int, Line]:
    span = Span(fit_name(service.host, width, frame.glyphs), tone)
    return at(column, matched(span, frame.filter))


def last_known(service: ServiceRecord, glyphs: Glyphs) -> str:
    """What was last known of one that is UNKNOWN; a dot where the API says how it is now."""
    if not service.is_unknown:
        return glyphs.nothing
    words: Mapping[str, str] = {"maintenance": "disabled"}
    state = service.last_state
    return figures.last_known(None if state is None else words.get(state, state), glyphs)


def _age(mirror: Mirror, frame: Frame, service: ServiceRecord) -> str:
    if service.is_unknown:
        return figures.last_known(figures.age_since(service.known_at, frame.wall_now), frame.glyphs)
    age = figures.age_since(service.updated_at, frame.now)
    return figures.last_known(age, frame.glyphs) if mirror.is_offline else figures.or_dash(age, frame.glyphs)


# What there is to say of one ------------------------------------------------------------------------------------------


def find(mirror: Mirror, key: str | None) -> ServiceRecord | None:
    return next((service for service in mirror.services or () if service.key == key), None)


def sentence(service: ServiceRecord, frame: Frame) -> str:
    where = f"{service.binary} on {service.host}"
    if service.is_unknown:
        known = f"; last known {service.last_state}" if service.last_state else "; nothing was ever known of it here"
        when = f" at {figures.instant(service.known_at, frame.wall_now)}" if service.known_at is not None else ""
        return f"{where}: {service.cell} does not answer, so the API says UNKNOWN{known}{when}"
    if service.state == "down":
        return f"{where}: its host is lost"
    if service.status == "disabled":
        return f"{where}: its host is in maintenance and takes no placements"
    return f"{where}: up and enabled"


def status(mirror: Mirror, frame: Frame, key: str | None) -> Line:
    service = find(mirror, key)
    if service is not None:
        return (Span(sentence(service, frame), Tone.MUTED),)
    if mirror.services is None:
        return (Span("asking for the services", Tone.MUTED),)
    unknown = sum(service.is_unknown for service in mirror.services)
    return (Span(f"{len(mirror.services):,} services, {unknown:,} UNKNOWN", Tone.MUTED),)


def facts(mirror: Mirror, frame: Frame, name: str) -> list[Fact]:
    """All that is known of one, for its description; `name` is `BINARY/HOST`."""
    service, glyphs = find(mirror, f"service:{name}"), frame.glyphs
    if service is None:
        return []
    shape = look(service, glyphs)
    host_key = f"host:{service.host}" if service.binary == COMPUTE else None
    cell_key = None if service.cell is None else f"cell:{service.cell}"
    return [
        fact("service", service.binary, glyphs),
        fact("host", service.host, glyphs, Tone.TEXT, host_key),
        fact("cell", service.cell or CENTRAL, glyphs, Tone.TEXT, cell_key),
        Fact("state", (Span(f"{shape.glyph} {shape.word}", shape.tone),)),
        fact("status", service.status, glyphs, Tone.UNKNOWN if service.is_unknown else Tone.TEXT),
        fact("last known", last_known(service, glyphs), glyphs, Tone.UNKNOWN if service.is_unknown else Tone.MUTED),
        fact("updated", _age(mirror, frame, service), glyphs),
        fact("so", sentence(service, frame), glyphs),
    ]
