"""A rehearsal that somebody watches: its cloud is served while its time runs, and says how far the scenario is.

The process that serves it is an ordinary backend; only what it makes, and what it does beside serving, is another.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from backend.app import App
from backend.folder import FolderProblem
from backend.rehearsals import running, scenario, shipped
from backend.rehearsals.report import Report
from backend.rehearsals.running import Rehearsal
from backend.rehearsals.scenario import Scenario, ScenarioProblem


class Options(Protocol):
    """As much as is asked for of what a process is to serve."""

    @property
    def path(self) -> Path: ...


def load(name: str) -> Scenario:
    """Of a file, or of a name that comes with the product. Raises FolderProblem, which has every mistake."""
    try:
        return scenario.read(shipped.find(name))
    except ScenarioProblem as problem:
        raise FolderProblem("\n".join(problem.sentences)) from problem


@dataclass(slots=True)
class Told:
    """How far it is; what the operator's API says of it."""

    scenario: Scenario
    rehearsal: Rehearsal | None = None
    sentence: str = "about to begin"
    problem: str | None = None
    """Why it has ended before its end."""
    report: Report | None = None
    """Once all is over and checked."""

    def take(self, sentence: str, share: float) -> None:
        """From the rehearsal: what it does now. How far it is, it knows better at any time."""
        self.sentence = sentence

    def end(self, task: asyncio.Task[None]) -> None:
        """The rehearsal has ended; a fault of ours ends it too, and is raised when the cloud is closed."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self.problem = f"The rehearsal itself failed ({type(error).__name__}): backend.log may say why."

    async def told(self) -> Mapping[str, Any]:
        found, share = self.report or await self._so_far(), self._share
        now_seconds = None if self.report else share * self.scenario.lasts_seconds
        return {
            "title": self.scenario.title,
            "lasts_seconds": self.scenario.lasts_seconds,
            "sentence": self.sentence,
            "share": round(share, 4),
            "is_over": self.report is not None or self.problem is not None,
            "problem": self.problem,
            "lines": [row._asdict() for row in found.rows(now_seconds)] if found else [],
            "report": None if self.report is None else self.report.to_json(),
        }

    @property
    def _share(self) -> float:
        return 0.0 if self.rehearsal is None else self.rehearsal.share

    async def _so_far(self) -> Report | None:
        """Nothing of it is checked yet, and what is expected may still come."""
        return None if self.rehearsal is None or not self.rehearsal.has_begun else await self.rehearsal.so_far()


class Watched:
    """What a backend serves in place of the cloud of its folder: that of a scenario, with its steps under way."""

    def __init__(
        self,
        open_folder: Callable[[Any], AbstractAsyncContextManager[Any]],
        name: str,
        *,
        seed: int | None,
        rate: float,
    ) -> None:
        """`open_folder` opens the cloud of a folder, with its `app`; `name` is a file's, or comes with the product."""
        self._open_folder = open_folder
        self._name = name
        self._seed = seed
        self._rate = rate
        self._wanted: Scenario | None = None
        self._is_left_over = False

    def make(self, options: Options, progress: Callable[[str, float], None]) -> None:
        """Raises FolderProblem, also for a file that is wrong."""
        wanted = load(self._name)
        self._wanted = wanted if self._seed is None else replace(wanted, seed=self._seed)
        if (options.path / "cloud.db").exists():
            # A backend that died on the way is started again by the console: the steps that were done are done.
            self._is_left_over = True
            return
        running.make(self._wanted, options.path, clock={"mode": "manual", "rate": 0.0}, progress=progress)

    @asynccontextmanager
    async def open(self, options: Options) -> AsyncIterator[Any]:
        """As the folder's own, with the steps going on beside it."""
        assert self._wanted is not None, "made before it is opened"
        async with self._open_folder(options) as opened:
            told = Told(self._wanted)
            opened.app.cloud.rehearsal = told
            if self._is_left_over:
                told.problem = "The backend ended in the middle of it: leave, and rehearse again."
                yield opened
                return
            opened.app.cloud.clock.change(mode="rate", rate=self._rate)
            task = asyncio.create_task(_rehearse(opened.app, told))
            task.add_done_callback(told.end)
            try:
                yield opened
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


async def _rehearse(app: App, told: Told) -> None:
    cloud, engine = app.cloud, app.engine
    reach = running.waiting(cloud, engine)
    told.rehearsal = Rehearsal(told.scenario, cloud, engine, reach=reach, progress=told.take)
    try:
        await told.rehearsal.run()
    except ScenarioProblem as problem:
        told.problem = " ".join(problem.sentences)
        return
    told.sentence = "checking what is left"
    cloud.clock.change(mode="manual")
    await engine.save_clock()
    told.report = await told.rehearsal.checked()
    told.sentence = "over"
    cloud.tell()
