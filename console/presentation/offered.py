"""What stands in a view for which another kind of cloud has nothing: a sentence that says so, never an empty list."""

from __future__ import annotations

from console.presentation.lines import Frame, Line, Lines, Span, Tone, View, at, compose, wrap


def instead(view: str, sentence: str, frame: Frame) -> View:
    """The view with this sentence in the place of its rows."""
    rows = [compose(frame.width), *(_row(text, frame) for text in wrap(sentence, max(1, frame.width - 4)))]
    words: Line = (Span(sentence, Tone.MUTED),)
    return View(view, (view,), frame.glyphs.nobody_said, (Lines(rows),), status=lambda _key: words)


def _row(text: str, frame: Frame) -> Line:
    return compose(frame.width, at(2, (Span(text, Tone.MUTED),)))
