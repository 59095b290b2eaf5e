"""What was done from here, the newest first: when, what was asked in words, and what became of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from operator import attrgetter
from urllib.parse import unquote

from console.presentation import chosen, figures, filtering, sorting
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
    cells,
    compose,
    fit_sentence,
    left,
    matched,
    remark,
    right,
)
from console.presentation.mirror import Mirror
from console.records_audit import ACCEPTED, NOT_SENT, REFUSED, SENDING, AuditRecord

ORDERS = ("newest",)
_NOVA = {"os-start": "start", "os-stop": "shutdown"}
"""Which verbs of ours those of the Compute API are."""
_OBJECT = re.compile(r"/(servers|drives|hosts|cells|groups|snapshots|accounts|schedules|backups)/([^/?]+)(?:/(\w+))?.*")
_MADE = {"servers": "create server", "drives": "create drive", "schedules": "create schedule of",
         "backups": "back up a", "clock": "set the clock", "clock/advance": "advance the clock"}  # fmt: skip
_PARTS = {
    ("POST", "ask"): "ask {} whether it answers",
    ("PUT", "balance"): "set the balance of {} to {}",
    ("POST", "nics"): "attach a NIC to {}",
    ("DELETE", "nics"): "detach a NIC from {}",
    ("POST", "snapshots"): "snapshot {}",
}
"""What a request to a part of an object is."""
_VERBS = {"stop": "power off", "end": "end restoring", "shutdown": "shut down", "separate": "clone and start apart"}
"""What verbs are called in the menus."""
_VERBS_OF_CELLS = {"up": "let cell {} answer", "down": "take cell {} down", "hung": "hang cell {}"}


def view(mirror: Mirror, frame: Frame) -> View:
    known = columns(mirror, frame)
    query = filtering.parse(frame.filter, known)
    newest_first = (mirror.audit or ())[::-1]
    shown = sorting.as_asked(filtering.matching(newest_first, query, known), frame, known)
    table = Table(known, shown, attrgetter("key"))
    region: Region
    if shown and chosen.is_asked(table, frame, frame.width):
        region = chosen.region(table, frame, frame.width)
    elif shown:
        region = Rows(_head(frame), shown, lambda each: row(mirror, frame, each), table.key_of)
    else:
        region = Lines([remark(frame, _instead(mirror, frame))], head=_head(frame))
    number = filtering.number_of(len(shown), len(newest_first), frame.filter)
    order = sorting.note_of(frame, ORDERS, known)
    return View(
        "audit",
        ("audit",),
        frame.glyphs.nobody_said if mirror.audit is None else f"{order}   {number}",
        (region,),
        status=lambda key: status(mirror, frame, key),
        orders=ORDERS,
        table=table,
        heads={"AT": "newest"},
        problem=query.problem,
    )


def columns(mirror: Mirror, frame: Frame) -> tuple[Column[AuditRecord], ...]:
    """What a record's row is as values."""
    return (
        Column("at", lambda each: figures.iso(each.at), width=20),
        Column("ago", lambda each: figures.seconds_since(each.at, frame.wall_now), Kind.SECONDS, width=7),
        Column("what", lambda each: words(mirror, each), width=30, is_searched=True),
        Column("outcome", attrgetter("outcome"), width=17, is_searched=True,
               words=("accepted", "refused", "sending", "sent", "unknown"),
               draw=lambda each: _outcome(each, frame)),
        Column("sentence", attrgetter("sentence"), Kind.SENTENCE, width=40, is_searched=True),
        Column("took", lambda each: figures.seconds_since(each.at, each.ended_at) if each.ended_at else None,
               Kind.SECONDS, width=7),
        Column("method", attrgetter("method"), Kind.WORD, width=7, is_searched=True,
               words=("POST", "PATCH", "DELETE", "PUT")),
        Column("path", attrgetter("path"), width=40, is_searched=True),
        Column("id", attrgetter("id"), Kind.ID, width=36),
    )  # fmt: skip


def _outcome(each: AuditRecord, frame: Frame) -> Line:
    sign, tone = look(each, frame)
    return (Span(f"{sign} {each.outcome}", tone),)


def _instead(mirror: Mirror, frame: Frame) -> str:
    if mirror.audit is None:
        return frame.glyphs.ellipsis
    if frame.filter:
        return f"nothing matches /{frame.filter}   esc clears the filter"
    return "nothing was done to this cloud from here yet"


def words(mirror: Mirror, each: AuditRecord) -> str:
    """What was asked, as one would say it: `stop web-31`. Its name is the one that it had when it was sent."""
    found = _OBJECT.fullmatch(each.path)
    if found is None:
        return _words_of_place(each)
    kind, key, part = found[1], unquote(found[2]), found[3]
    name = each.name or mirror.name_of(key) or (key[:8] if len(key) == 36 else key)
    what = kind.removesuffix("s")
    told = _PARTS.get((each.method, part or ""))
    if told is not None:
        return told.format(name, each.body.get("balance", ""))
    action = each.body.get("action") or (each.body.get("state") if part == "reachability" else None)
    if action is None and part == "action":
        # Nova's own: the verb is the name of the body.
        action = next((_NOVA.get(verb, verb) for verb in each.body), None)
    if action is None and part is None:
        action = {"DELETE": "delete", "PATCH": "edit"}.get(each.method)
    if action is None:
        return f"{each.method} {what} {name}"
    verb = (_VERBS_OF_CELLS if what == "cell" else _VERBS).get(str(action), str(action))
    if "{" in verb:
        return verb.format(name)
    return f"{verb} {name}" if what in ("server", "drive") else f"{verb} {what} {name}"


def _words_of_place(each: AuditRecord) -> str:
    """What is asked of no object that there is: to make one, or of the clock."""
    place = each.path.strip("/")
    made = _MADE.get(place)
    if made is None:
        return f"{each.method} {each.path}"
    inner = each.body.get("server")
    body = inner if isinstance(inner, Mapping) else each.body
    told = [str(body[name]) for name in ("name", "mode", "rate", "seconds", "source_kind", "cron") if name in body]
    return " ".join((made, *told[:2]))


def look(each: AuditRecord, frame: Frame) -> tuple[str, Tone]:
    """Its outcome as a sign. That nobody knows one is not that it went well."""
    glyphs = frame.glyphs
    looks = {
        ACCEPTED: (glyphs.done, Tone.OK),
        REFUSED: (glyphs.lost, Tone.CRIT),
        NOT_SENT: (glyphs.stopped, Tone.WARN),
        SENDING: (glyphs.busy, Tone.ACCENT),
    }
    return looks.get(each.outcome, (glyphs.unknown, Tone.UNKNOWN))


def _head(frame: Frame) -> Line:
    muted, width = Tone.MUTED, frame.width
    if width < 60:
        return compose(width, left(2, "AT", muted), left(13, "WHAT", muted))
    heads = [left(2, "AT", muted), left(16, "WHAT", muted), left(16 + what_width(width) + 2, "OUTCOME", muted)]
    return compose(width, *heads)


def what_width(width: int) -> int:
    return max(16, min(48, (width - 22) // 2))


def row(mirror: Mirror, frame: Frame, each: AuditRecord) -> Line:
    width, glyphs = frame.width, frame.glyphs
    sign, tone = look(each, frame)
    when = figures.instant(each.at, frame.wall_now)
    said = words(mirror, each)
    if width < 60:
        return compose(width, left(2, when[-8:], Tone.MUTED), left(11, sign, tone),
                       left(13, fit_sentence(said, max(1, width - 15), glyphs)))  # fmt: skip
    room = what_width(width)
    outcome = f"{each.outcome}: {each.sentence}" if each.sentence else each.outcome
    took = ""
    if each.ended_at is not None and width >= 100:
        took = f"{max(0.0, (each.ended_at - each.at).total_seconds()) * 1000:,.0f} ms"
    last = width - 2 - (cells(took) + 2 if took else 0)
    start = 16 + room + 2
    return compose(
        width,
        left(2, when, Tone.MUTED),
        at(16, matched(Span(fit_sentence(said, room, glyphs)), frame.filter)),
        left(start, sign, tone),
        left(start + 2, fit_sentence(outcome, max(1, last - start - 2), glyphs), tone),
        right(width - 2, took, Tone.MUTED),
    )


def find(mirror: Mirror, key: str | None) -> AuditRecord | None:
    return next((each for each in mirror.audit or () if each.key == key), None)


def status(mirror: Mirror, frame: Frame, key: str | None) -> Line:
    """The request itself: method and path."""
    each = find(mirror, key)
    if each is None:
        return (Span("written down before it is sent, and kept when the console is closed", Tone.MUTED),)
    then = "   what came of it is in :events" if each.outcome == ACCEPTED else ""
    text = f"{each.method} {each.path}   enter shows it whole, Y copies it as curl"
    if cells(text + then) < frame.width - 2:
        text += then
    return (Span(fit_sentence(text, frame.width - 2, frame.glyphs), Tone.MUTED),)
