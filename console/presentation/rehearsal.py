"""A rehearsal while it goes on, and its report: what was done, who was disturbed, what was missed, and the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from console.presentation.lines import Frame, Line, Lines, Span, Tone, View, compose, left
from console.presentation.mirror import Mirror
from console.presentation.widths import wrap
from console.records_rehearsal import RehearsalRecord, ReportLine

TEXT_COLUMN = 14
DETAIL_COLUMN = 16
BAR_CELLS = 24

_TONES: Mapping[str, Tone] = {
    "heading": Tone.TEXT,
    "step": Tone.TEXT,
    "refused": Tone.WARN,
    "fact": Tone.TEXT,
    "bad": Tone.WARN,
    "detail": Tone.MUTED,
    "met": Tone.OK,
    "failed": Tone.CRIT,
    "verdict": Tone.TEXT,
}


def view(mirror: Mirror, frame: Frame) -> View:
    """On any other cloud: how one is begun."""
    found = mirror.rehearsal
    lines: list[Line]
    if found is None or found.record is None:
        note = said = ""
        lines = [compose(frame.width, left(2, text, Tone.MUTED)) for text in _instead(is_known=found is not None)]
    else:
        record = found.record
        note = _note(record)
        said = "the cloud of a rehearsal: :q leaves it, and goes back to where it was begun"
        lines = [_progress(record, frame), compose(frame.width)]
        lines += [line for each in record.lines for line in _drawn(each, frame)]
    keys = [f"line:{number}" for number in range(len(lines))]
    return View("rehearsal", ("rehearsal",), note, (Lines(lines, keys),), status=lambda _key: (Span(said, Tone.MUTED),))


def _instead(*, is_known: bool) -> Iterator[str]:
    if is_known:
        yield "nothing is rehearsed on this cloud: a rehearsal has a cloud of its own"
        yield ""
        yield ":rehearse FILE          a scenario of yours; `stratodeck rehearse --show NAME` prints one to begin from"
        yield ":rehearse NAME x60      one that comes with the product, at 60 simulated seconds a second:"
        yield "                        cell-lost-in-backup-window, drain-in-full-cell, host-lost-under-pair,"
        yield "                        surge-over-backfill"


def _note(record: RehearsalRecord) -> str:
    if record.problem is not None:
        return "ended before its end"
    return "over" if record.is_over else f"{record.share:.0%} of its time"


def _progress(record: RehearsalRecord, frame: Frame) -> Line:
    if record.problem is not None:
        return compose(frame.width, left(2, record.problem, Tone.CRIT))
    if record.is_over:
        failed = sum(each.kind == "failed" for each in record.lines)
        if failed:
            told = f"{failed} of what was expected is not so" if failed == 1 else f"{failed} expectations failed"
            return compose(frame.width, left(2, f"{frame.glyphs.violation} {told}", Tone.CRIT, bold=True))
        return compose(frame.width, left(2, f"{frame.glyphs.done} all that was expected is so", Tone.OK, bold=True))
    full = round(record.share * BAR_CELLS)
    bar = frame.glyphs.normal * full + frame.glyphs.free * (BAR_CELLS - full)
    return compose(frame.width, left(2, bar, Tone.ACCENT), left(2 + BAR_CELLS + 2, record.sentence, Tone.TEXT))


def _drawn(each: ReportLine, frame: Frame) -> Iterator[Line]:
    tone = _TONES.get(each.kind, Tone.TEXT)
    label_tone = tone if each.kind == "bad" else Tone.MUTED
    label = left(2, f"{each.label:>10}", label_tone)
    match each.kind:
        case "verdict":
            # It is the first line already.
            return
        case "heading":
            yield from _wrapped(2, each.text, tone, frame, bold=True)
        case "met" | "failed":
            sign = frame.glyphs.done if each.kind == "met" else frame.glyphs.violation
            yield from _wrapped(2, f"{sign} {each.text}", tone, frame)
        case "detail" | "refused":
            yield from _wrapped(DETAIL_COLUMN, each.text, tone, frame)
        case _:
            text_tone = Tone.MUTED if each.kind == "ahead" else Tone.TEXT
            first, *more = wrap(each.text, frame.width - TEXT_COLUMN - 1)
            yield compose(frame.width, label, left(TEXT_COLUMN, first, text_tone))
            for row in more:
                yield compose(frame.width, left(DETAIL_COLUMN, row, text_tone))


def _wrapped(column: int, text: str, tone: Tone, frame: Frame, *, bold: bool = False) -> Iterator[Line]:
    """What does not fit goes on two columns further in."""
    first, *more = wrap(text, frame.width - column - 3)
    yield compose(frame.width, left(column, first, tone, bold=bold))
    for row in more:
        yield compose(frame.width, left(column + 2, row, tone, bold=bold))
