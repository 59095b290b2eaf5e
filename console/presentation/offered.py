"""What stands where another kind of cloud has nothing: a sentence that says so, never an empty list."""

from __future__ import annotations

from dataclasses import replace

from console.presentation.lines import Frame, Line, Lines, Span, Tone, View, at, compose, fit_sentence, ruled, wrap
from console.presentation.mirror import Mirror


def instead(view: str, sentence: str, frame: Frame) -> View:
    """The view with this sentence in the place of its rows."""
    rows = [compose(frame.width), *(_row(text, frame) for text in wrap(sentence, max(1, frame.width - 4)))]
    words: Line = (Span(sentence, Tone.MUTED),)
    return View(view, (view,), frame.glyphs.nobody_said, (Lines(rows),), status=lambda _key: words)


def _row(text: str, frame: Frame) -> Line:
    return compose(frame.width, at(2, (Span(text, Tone.MUTED),)))


def sentence(mirror: Mirror, view: str) -> str | None:
    """Why there is nothing in a view, or in a panel that would show a part of it; None where there is something."""
    return None if mirror.offer is None else mirror.offer.views.get(view)


def aside(head: Line, text: str, width: int, frame: Frame) -> Lines:
    """A panel beside the list, with a sentence in the place of its rows."""
    rows = [ruled(width, frame.glyphs, at(3, (Span(row, Tone.MUTED),))) for row in wrap(text, max(1, width - 5))]
    return Lines(rows, head=head)


def with_note(view: View, mirror: Mirror, frame: Frame) -> View:
    """The view with what is missing from its rows below them, where a cloud has told of that."""
    text = mirror.notes.get(view.name)
    if text is None:
        return view
    width = frame.width - view.pane_width
    words = fit_sentence(text, max(1, width - 4), frame.glyphs)
    line = compose(width, at(1, (Span(frame.glyphs.attention, Tone.WARN), Span(f" {words}", Tone.WARN))))
    return replace(view, below=(*view.below, line))


def zone_word(mirror: Mirror) -> str:
    """What the rows of cells are: of another kind of cloud, zones."""
    return "cell" if mirror.offer is None else "zone"
