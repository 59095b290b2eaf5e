"""Every view and page as plain text: at every size, in every state that a cloud can be in, with both sets of glyphs.

The texts lie in `goldens/`, a file a view, and all dialogs in one. After a change, accept what has become of them
with `pytest -m "" tests/console/test_goldens.py --snapshot-update`, and read the difference. What no screen may do,
whatever it shows, is asked of each of them too.
"""

from __future__ import annotations

import asyncio
import difflib
import re
from collections.abc import Collection, Iterable
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest
from rich.color_triplet import ColorTriplet
from rich.style import Style

from backend import seed
from console.commands import COMMANDS, LISTS, PAGES
from console.names import PALETTES
from console.screens.places import Place
from tests.console.fakes import screen_text
from tests.console.openings import OF_LISTS, box_text, closed, opened, openings, shrunk
from tests.console.staging import (
    CARD,
    SIZES,
    SMALL,
    WIDE,
    Known,
    Size,
    Stage,
    problems_of,
    sent_by,
    settle,
    visit,
    walk,
)
from tests.demo import DemoConsole, copied, make_cloud

FOLDER = Path(__file__).with_name("goldens")
CHOSEN = ("cell:cell-3", "host:c2-h17", "group:web")
"""What the pages of these kinds are about: each has more to say than the first of its kind."""
LINES_SHOWN_MAX = 60


class Shot(NamedTuple):
    """One way to look at all places."""

    state: str
    size: Size
    is_ascii: bool = False

    @property
    def title(self) -> str:
        return f"{self.size[0]}x{self.size[1]} {self.state}{' ascii' if self.is_ascii else ''}"


SHOTS = (
    *(Shot("known", size) for size in SIZES),
    *(Shot("loading", size) for size in (SMALL, CARD)),
    *(Shot("silent", size) for size in (SMALL, CARD)),
    Shot("empty", CARD),
    Shot("dark", CARD),
    Shot("refused", CARD),
    Shot("known", CARD, is_ascii=True),
    Shot("dark", SMALL, is_ascii=True),
    Shot("empty", WIDE, is_ascii=True),
)
"""Each state on an ordinary terminal, each size and each set of glyphs with what differs most there."""

PAGED = frozenset({*(Shot("known", size) for size in SIZES), Shot("loading", CARD), Shot("silent", CARD)})
"""Where pages tell something else than the lists from which they are opened."""


@pytest.fixture(autouse=True)
def steady_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "TEXTUAL_THEME", "TEXTUAL_COLOR_SYSTEM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")


async def known_of(
    folder: Path, *, account: str = seed.OPERATOR, is_dark: bool = False, has_pages: bool = False
) -> tuple[Known, list[Place]]:
    """All that an account is told of a cloud; with `is_dark`, after each of its cells has stopped answering."""
    app = DemoConsole(folder, account=account, poll_seconds=3600)
    async with app.run_test(size=CARD) as pilot:
        await settle(pilot)
        if is_dark:
            assert app.main.client is not None, "it has settled"
            for cell in app.main.mirror.cells or ():
                await app.main.client.act_on_cell(cell.name, "down")
            app.main.refresh_now()
            await settle(pilot)
        return await walk(pilot, CHOSEN, has_pages=has_pages)


async def known_states(demo: Path, folder: Path) -> tuple[dict[str, Known], list[Place]]:
    """Every state that a cloud can be in for those who look at it, and the places to look at."""
    known, places = await known_of(copied(demo, folder / "demo"), has_pages=True)
    empty, _ = await known_of(make_cloud(folder / "empty", "empty"))
    refused, _ = await known_of(copied(demo, folder / "refused"), account=seed.TENANT)
    dark, _ = await known_of(copied(demo, folder / "dark"), is_dark=True)
    states = {"known": known, "loading": Known(), "empty": empty, "silent": known.silent(6), "refused": refused}
    return {**states, "dark": dark}, places


async def drawn(
    states: dict[str, Known], places: Iterable[Place], shots: Iterable[Shot]
) -> list[tuple[Shot, Place, str]]:
    """What each shot shows of each place."""
    found = []
    shots = sorted(shots, key=lambda shot: (shot.is_ascii, shot.size))
    for is_ascii in (False, True):
        stage = Stage(is_ascii=is_ascii)
        async with stage.run_test(size=CARD) as pilot:
            for shot in shots:
                if shot.is_ascii is is_ascii:
                    await pilot.resize_terminal(*shot.size)
                    while stage.screen.outer_size != shot.size:
                        # On a busy machine the application knows before its screen does.
                        await pilot.pause()
                    seen = (place for place in places if shot in PAGED or place.view not in PAGES)
                    found += [(shot, place, stage.show(states[shot.state], place)) for place in seen]
    return found


def name_of(place: Place) -> str:
    """The heading of a place: keys that are ids are told by their kind."""
    kind, colon, _ = (place.scope or "").partition(":")
    about = (kind if colon else "server" if len(kind) == 36 else kind,)
    return " ".join([place.view, *filter(None, about), *sorted(place.modes)])


def files_of(found: Iterable[tuple[Shot, Place, str]]) -> dict[str, str]:
    """The golden files: a view each, its places and sizes after one another."""
    files: dict[str, list[str]] = {}
    order = {shot: number for number, shot in enumerate(SHOTS)}
    for shot, place, text in sorted(found, key=lambda each: (each[1].view, name_of(each[1]), order[each[0]])):
        heading = f"════ {name_of(place)} ════ {shot.title} "
        files.setdefault(f"{place.view}.txt", []).append(f"{heading:═<{shot.size[0]}}\n{text}\n")
    return {name: "\n".join(texts) for name, texts in files.items()}


def sections_of(text: str) -> dict[str, str]:
    """A golden file by its headings."""
    sections = re.findall(r"^(════ .*)\n((?:(?!════ ).*\n?)*)", text, re.MULTILINE)
    return {heading: body.rstrip("\n") for heading, body in sections}


def compare(files: dict[str, str], *, is_update: bool, is_whole: bool = True, folder: Path = FOLDER) -> list[str]:
    """What is not as it was, or nothing where that is accepted. Sections that were not drawn are left as they are."""
    changes: list[str] = []
    for name, text in files.items():
        kept = (folder / name).read_text(encoding="utf-8") if (folder / name).exists() else ""
        before, now = sections_of(kept), sections_of(text)
        if is_update:
            folder.mkdir(exist_ok=True)
            whole = {**before, **now} if not is_whole else now
            sections = (f"{heading}\n{lines}\n" for heading, lines in whole.items())
            (folder / name).write_text("\n".join(sections), encoding="utf-8")
            continue
        for heading, lines in now.items():
            was = before.get(heading, "").split("\n")
            changes += difflib.unified_diff(was, lines.split("\n"), f"{name}: {heading}", "now", n=2, lineterm="")
    return changes


async def styles_of(known: Known, places: Iterable[Place], palette: str) -> tuple[set[Style], set[str]]:
    """All styles in which anything is drawn with a palette, and the codes that go out for them."""
    stage, found, codes = Stage(palette=palette), set(), set()
    async with stage.run_test(size=CARD):
        for place in places:
            stage.show(known, place)
            strips = stage.screen._compositor.render_strips()
            found |= {segment.style or Style() for strip in strips for segment in strip if segment.text.strip()}
            codes |= {code for told in re.findall(r"\x1b\[([0-9;]*)m", sent_by(stage)) for code in told.split(";")}
    return found, codes


def contrast(style: Style) -> float:
    """How far the colour of a text and that of its background are apart: 1 to 21."""
    assert style.color is not None, "everything has a colour"
    assert style.bgcolor is not None, "and a background"
    darker, lighter = sorted(map(luminance, (style.color.get_truecolor(), style.bgcolor.get_truecolor())))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: ColorTriplet) -> float:
    """Of 1, as WCAG 2 counts it."""
    parts = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.normalized)
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))


CONTRASTS = {"dark": 4.5, "light": 4.5, "contrast": 4.5, "contrast-light": 7.0}
GLYPHS_CONTRAST = 3.0
COLOURLESS = {"0", "1", "2", "4", "7", "39", "49"}
"""Codes that no terminal draws a colour for: attributes, and its own colours of text and background."""


def test_every_view_is_drawn_as_it_was(
    demo: Path, tmp_path: Path, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> tuple[list[tuple[Shot, Place, str]], dict[str, set[Style]]]:
        states, places = await known_states(demo, tmp_path)
        lists = [place for place in places if place.view in LISTS][::2]
        styles = {palette: (await styles_of(states["known"], lists, palette))[0] for palette in PALETTES}
        monkeypatch.setenv("NO_COLOR", "1")
        styles["none"], codes = await styles_of(states["known"], lists, "dark")
        monkeypatch.delenv("NO_COLOR")
        assert codes <= COLOURLESS
        return await drawn(states, places, SHOTS), styles

    found, styles = asyncio.run(run())
    wrong = [
        f"{name_of(place)} {shot.title}: {problem}"
        for shot, place, text in found
        for problem in problems_of(text, shot.size, is_ascii=shot.is_ascii)
    ]
    sections = (f"════ {palette} \n" + "\n".join(sorted(map(str, each))) for palette, each in styles.items())
    files = {**files_of(found), "styles.txt": "\n\n".join(sections)}
    changes = compare(files, is_update=pytestconfig.getoption("update_snapshots"))

    assert not wrong
    assert not changes, "\n".join(["--snapshot-update accepts this:", *changes[:LINES_SHOWN_MAX]])
    assert {style.color.name for style in styles["none"] if style.color is not None} == {"default"}
    assert {style.bgcolor.name for style in styles["none"] if style.bgcolor is not None} == {"default"}
    for palette, least in CONTRASTS.items():
        for style in styles[palette]:
            # Of what is reversed under the cursor only the glyph of the state is, and its word is beside it.
            assert contrast(style) >= (GLYPHS_CONTRAST if style.reverse else least), f"{palette}: {style}"


SAMPLE = frozenset({"server.start", "server.restarts", "server.edit", "server.delete", "drive.clone", "schedule.edit",
                    "backup.restore", "host.drain", "palette", "columns", "what_if", "actions"})  # fmt: skip
"""A dialog of each sort: of all of them the shorter half of the time is too much."""
NOT_OPENED = {"account.extend", "server.stays", "server.attach_drive", "server.detach_nic", "drive.attach",
              "drive.clone_snapshot", "drive.delete_snapshot", "host.evacuate", "group.end", "clock.manual",
              "bookmarks"}  # fmt: skip
"""What the demo has no object for."""


async def dialogs_drawn(folder: Path, names: Collection[str]) -> tuple[dict[str, str], set[str], list[str]]:
    """The boxes of the dialogs by their headings; those that opened; and what is wrong with any."""
    app = DemoConsole(folder, poll_seconds=3600, confirms_all=True)
    boxes: dict[str, str] = {}
    found, wrong = set(), []
    async with app.run_test(size=CARD) as pilot:
        await settle(pilot)
        for view in ("drives", "hosts", "schedules", "backups", "groups", "billing"):
            await visit(pilot, Place(view), {})
        chosen = [row.id for row in app.main.mirror.servers.values() if row.name == "web-31"]
        for opening in openings(app.main.mirror, tuple(chosen)):
            if opening.name not in names or not await opened(pilot, opening):
                continue
            found.add(opening.name)
            for size in (CARD, SMALL):
                await shrunk(pilot, size)
                boxes[f"════ {opening.name} ════ {size[0]}x{size[1]} "] = box_text(app)
                wrong += [f"{opening.name} {size}: {each}" for each in problems_of(screen_text(app), size)]
            await pilot.resize_terminal(*CARD)
            await closed(pilot)
    return boxes, found, wrong


def check_dialogs(folder: Path, names: Collection[str], *, is_update: bool, is_whole: bool) -> set[str]:
    """Hold the dialogs of these names against their golden file; those that opened."""
    boxes, found, wrong = asyncio.run(dialogs_drawn(folder, names))
    text = "\n".join(f"{heading:═<60}\n{box}\n" for heading, box in boxes.items())
    changes = compare({"dialogs.txt": text}, is_update=is_update, is_whole=is_whole)

    assert not wrong
    assert not changes, "\n".join(["--snapshot-update accepts this:", *changes[:LINES_SHOWN_MAX]])
    return found


def test_a_dialog_of_each_sort_is_drawn_as_it_was(demo: Path, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    is_update = pytestconfig.getoption("update_snapshots")

    assert check_dialogs(copied(demo, tmp_path / "data"), SAMPLE, is_update=is_update, is_whole=False) == SAMPLE


@pytest.mark.thorough
def test_every_dialog_is_drawn_as_it_was(demo: Path, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    every = {command.id for command in COMMANDS if command.verb_of is not None} | set(OF_LISTS)
    is_update = pytestconfig.getoption("update_snapshots")

    found = check_dialogs(copied(demo, tmp_path / "data"), every, is_update=is_update, is_whole=True)

    assert every - found == NOT_OPENED


@pytest.mark.thorough
def test_no_view_at_any_size_in_any_state_breaks_its_frame(demo: Path, tmp_path: Path) -> None:
    async def run() -> list[tuple[Shot, Place, str]]:
        states, places = await known_states(demo, tmp_path)
        sizes = [*SIZES, *product((20, 39, 59, 60, 61, 79, 99, 100, 119, 139, 159, 160, 161), (5, 11, 25, 41))]
        return await drawn(states, places, (Shot(*each) for each in product(states, sizes, (False, True))))

    found = asyncio.run(run())

    assert not [
        f"{name_of(place)} {shot.title}: {problem}"
        for shot, place, text in found
        for problem in problems_of(text, shot.size, is_ascii=shot.is_ascii)
    ]
