"""What a view has drawn, for tests: its lines as texts and as plates of tones, and the cloud gone silent."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from console.presentation.lines import Line, Tone, View, text_of
from console.presentation.mirror import Mirror
from tests.console.examples import NOW, the_cloud

_LETTERS = {tone: "u" if tone is Tone.UNKNOWN else tone.value[0] for tone in Tone}
WIDTHS = ((40, 10), (60, 16), (80, 24), (100, 30), (120, 40), (140, 40), (160, 45), (200, 60))


def a_silent_cloud() -> Mirror:
    """The cloud six minutes after its last answer."""
    told = NOW - timedelta(minutes=6, seconds=23)
    mirror = the_cloud().failed("refused", NOW, retry_at=NOW + timedelta(seconds=22))
    return replace(mirror, tries=7, answered_at=dict.fromkeys(mirror.answered_at, told))


def body(view: View, key: str | None = None) -> list[str]:
    """The left lines of a view, heads and previews included."""
    return [text_of(line) for line in lines_of(view, key)]


def lines_of(view: View, key: str | None = None) -> list[Line]:
    found: list[Line] = []
    for region in view.regions:
        if region.head is not None:
            found.append(region.head)
        found += [region.line(place) for place in range(len(region))]
    if view.preview is not None and key is not None and not view.pane_width:
        found += view.preview(key)
    return found


def aside(view: View, key: str | None = None) -> list[Line]:
    found: list[Line] = []
    for region in view.aside:
        if region.head is not None:
            found.append(region.head)
        found += [region.line(place) for place in range(len(region))]
    if view.preview is not None and key is not None and view.pane_width:
        found += view.preview(key)
    return found


def plate(line: Line) -> str:
    """The line's tones as letters, a dot where nothing is drawn."""
    return "".join("." if sign == " " else _LETTERS[span.tone] for span in line for sign in span.text)


def the_row(view: View, key: str) -> Line:
    found = view.find(key)
    assert found is not None, f"no row {key}"
    return view.regions[found[0]].line(found[1])
