"""A rehearsal on the screen: while it goes on, when it is over, and how one is begun."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from console.presentation import rehearsal
from console.presentation.lines import Tone, View, text_of
from console.presentation.mirror import Mirror
from console.records_rehearsal import Rehearsal, RehearsalRecord, ReportLine
from tests.console.drawn import body
from tests.console.examples import NOW, a_frame
from tests.console.fakes import FakeCloud, an_app
from tests.console.stories import type_line, until

LINES = (
    ReportLine("heading", "", "A test"),
    ReportLine("gap", "", ""),
    ReportLine("step", "+5m", "host-lost h-01"),
    ReportLine("refused", "", "refused: Host h-01 is down."),
    ReportLine("ahead", "+1h", "host-back h-01"),
    ReportLine("bad", "stopped", "1 server"),
    ReportLine("detail", "", "web-1: its host h-01 was lost"),
)


def seen(record: RehearsalRecord | None) -> View:
    return rehearsal.view(Mirror().apply(Rehearsal(record), NOW), a_frame())


def test_what_is_too_long_goes_on_below() -> None:
    record = RehearsalRecord("A test", 7200, "", 0.5, False, lines=(
        ReportLine("detail", "", "render-04: " + "its host was lost " * 5),
        ReportLine("bad", "off", "nightly: " + "over quota " * 8),
    ))  # fmt: skip

    lines = [line.rstrip() for line in body(rehearsal.view(Mirror().apply(Rehearsal(record), NOW), a_frame()))][2:]

    assert [line[:18].strip() != "" for line in lines] == [True, False, True, True]
    assert max(map(len, lines)) < 80


def tones(view: View, words: str) -> set[Tone]:
    region = view.regions[0]
    line = next(region.line(index) for index in range(len(region)) if words in text_of(region.line(index)))
    return {span.tone for span in line if span.text.strip()}


def test_while_it_goes_on_it_says_how_far_and_what_is_ahead_is_muted() -> None:
    view = seen(RehearsalRecord("A test", 7200, "host-lost h-01", 0.25, False, lines=LINES))

    assert [line.rstrip() for line in body(view)] == [
        "  ██████··················  host-lost h-01",
        "",
        "  A test",
        "",
        "         +5m  host-lost h-01",
        "                refused: Host h-01 is down.",
        "         +1h  host-back h-01",
        "     stopped  1 server",
        "                web-1: its host h-01 was lost",
    ]
    assert view.note == "25% of its time"
    assert tones(view, "host-back") == {Tone.MUTED}
    assert Tone.WARN in tones(view, "stopped")


@pytest.mark.parametrize(
    ("kinds", "told", "tone"),
    [
        (("met", "met"), "✓ all that was expected is so", Tone.OK),
        (("met", "failed"), "■ 1 of what was expected is not so", Tone.CRIT),
        (("failed", "failed"), "■ 2 expectations failed", Tone.CRIT),
    ],
)
def test_when_it_is_over_the_verdict_comes_first(kinds: Sequence[str], told: str, tone: Tone) -> None:
    lines = tuple(ReportLine(kind, "", "servers stopped: found 1") for kind in kinds)

    view = seen(RehearsalRecord("A test", 7200, "over", 1.0, True, lines=lines))

    assert body(view)[0].strip() == told
    assert tones(view, told) == {tone}
    assert view.note == "over"


def test_one_that_has_ended_before_its_end_says_why() -> None:
    view = seen(RehearsalRecord("A test", 7200, "", 0.1, True, problem="It names host z."))

    assert (body(view)[0].strip(), view.note) == ("It names host z.", "ended before its end")


@pytest.mark.anyio
async def test_rehearse_leaves_for_a_cloud_of_its_own_unless_the_file_is_wrong() -> None:
    mistakes = {"wrong.toml": ("wrong.toml: lasts is missing.", "wrong.toml: cloud is missing.")}
    app = an_app(FakeCloud(), mistakes_of=lambda name: mistakes.get(name, ()))

    async with app.run_test(size=(100, 24)) as pilot:
        await until(pilot, "cell-1")
        await pilot.press("colon")
        await type_line(pilot, "rehearsal")
        await pilot.press("enter")
        how = await until(pilot, ":rehearse FILE")
        await pilot.press("colon")
        await type_line(pilot, "rehearse wrong.toml")
        await pilot.press("enter")
        await until(pilot, "1 of 2 mistakes: wrong.toml: lasts is missing.")
        wanted = [app.rehearsal_wanted]
        await pilot.press("colon")
        await type_line(pilot, "rehearse right.toml x600")
        await pilot.press("enter")
        await pilot.pause()

    assert "nothing is rehearsed on this cloud" in how
    assert [*wanted, app.rehearsal_wanted] == [None, ("right.toml", 600.0)]
    assert app.return_code == 0
