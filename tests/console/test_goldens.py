"""Every view and page as plain text: at every size, in every state that a cloud can be in, with both sets of glyphs.

The texts lie in `goldens/`, a file a view. After a change: `pytest tests/console/test_goldens.py --snapshot-update`,
and read the difference. What no screen may do, whatever it shows, is asked of each of them too.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest

from backend import seed
from console.screens.places import Place
from tests.console.staging import CARD, SIZES, SMALL, WIDE, Known, Size, Stage, problems_of, settle, walk
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
    *(Shot("empty", size) for size in (SMALL, CARD)),
    *(Shot("silent", size) for size in (SMALL, CARD)),
    *(Shot("dark", size) for size in (CARD, WIDE)),
    Shot("refused", CARD),
    Shot("known", CARD, is_ascii=True),
    Shot("dark", SMALL, is_ascii=True),
)
"""Each state with a small and with an ordinary terminal, and what there is at every size."""


@pytest.fixture(autouse=True)
def steady_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "TEXTUAL_THEME", "TEXTUAL_COLOR_SYSTEM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")


async def known_of(folder: Path, *, account: str = seed.OPERATOR, is_dark: bool = False) -> tuple[Known, list[Place]]:
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
        return await walk(pilot, CHOSEN)


async def known_states(demo: Path, folder: Path) -> tuple[dict[str, Known], list[Place]]:
    """Every state that a cloud can be in for those who look at it, and the places to look at."""
    known, places = await known_of(copied(demo, folder / "demo"))
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
                    found += [(shot, place, stage.show(states[shot.state], place)) for place in places]
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


def difference(before: str, after: str, name: str) -> Iterator[str]:
    return difflib.unified_diff(before.splitlines(), after.splitlines(), name, "now", n=1, lineterm="")


def compare(files: dict[str, str], *, is_update: bool, folder: Path = FOLDER) -> list[str]:
    """What is not as it was, or nothing where that is accepted."""
    if is_update:
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        return []
    kept = {name: (folder / name).read_text(encoding="utf-8") if (folder / name).exists() else "" for name in files}
    return [line for name, text in files.items() if text != kept[name] for line in difference(kept[name], text, name)]


def test_every_view_is_drawn_as_it_was(demo: Path, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    async def run() -> list[tuple[Shot, Place, str]]:
        states, places = await known_states(demo, tmp_path)
        return await drawn(states, places, SHOTS)

    found = asyncio.run(run())
    wrong = [
        f"{name_of(place)} {shot.title}: {problem}"
        for shot, place, text in found
        for problem in problems_of(text, shot.size, is_ascii=shot.is_ascii)
    ]
    changes = compare(files_of(found), is_update=pytestconfig.getoption("update_snapshots"))

    assert not wrong
    assert not changes, "\n".join(["--snapshot-update accepts this:", *changes[:LINES_SHOWN_MAX]])


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
