"""What a rehearsal came to: as JSON, and as lines for a terminal. Nothing of it is the machine's: no wall time, no id.

Every time is in simulated seconds from the beginning of the scenario, as its steps have them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, NamedTuple

from backend.rehearsals.scenario import Expected, Scenario
from backend.rehearsals.steps import told_seconds
from backend.rehearsals.story import GroupSeen, Span, Story

LISTED_MAX = 8
"""So many of a kind are named in the lines; the JSON has all."""


class Row(NamedTuple):
    """A line to read: what it is, the word or the time before it, and a sentence."""

    kind: Literal["heading", "gap", "step", "ahead", "refused", "fact", "bad", "detail", "met", "failed", "verdict"]
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class StepDone:
    """What became of one step."""

    at_seconds: int
    do: str
    what: str
    """Whom it was about."""
    done: int
    refused: tuple[str, ...]
    """A sentence for each server, host or cell that it could not be done with."""


@dataclass(frozen=True, slots=True)
class Expectation:
    what: str
    expected: str
    found: str
    is_met: bool


@dataclass(frozen=True, slots=True)
class Report:
    scenario: str
    about: str
    cloud: str
    """What it ran on, in words."""
    seed: int
    began_at: datetime
    lasts_seconds: int
    counts_from_seconds: int
    steps: tuple[StepDone, ...]
    shrunk: tuple[Mapping[str, Any], ...] = ()
    stopped: tuple[Mapping[str, Any], ...] = ()
    out: tuple[Mapping[str, Any], ...] = ()
    silent: tuple[Mapping[str, Any], ...] = ()
    missed: tuple[Mapping[str, Any], ...] = ()
    moved: tuple[Mapping[str, Any], ...] = ()
    evacuations: tuple[Mapping[str, Any], ...] = ()
    backups: Mapping[str, Any] = field(default_factory=dict)
    groups: tuple[Mapping[str, Any], ...] = ()
    longest_start: Mapping[str, Any] | None = None
    """The normal server that waited longest for its room, and how long until it ran."""
    recovery_seconds: float | None = None
    """From the first that broke to the last that was whole again; None where something is not."""
    breach: str | None = None
    """The invariant that does not hold, in a sentence."""
    expectations: tuple[Expectation, ...] = ()

    @property
    def is_met(self) -> bool:
        return all(each.is_met for each in self.expectations)

    @property
    def refused(self) -> int:
        return sum(len(step.refused) for step in self.steps if step.at_seconds >= self.counts_from_seconds)

    @property
    def runs_missed(self) -> int:
        """Those too that were refused because the copy before them was not over: there is no copy of either."""
        missed: int = sum(each["runs"] for each in self.missed) + self.backups["overlapped"]
        return missed

    def to_json(self) -> dict[str, Any]:
        found = {key: value for key, value in asdict(self).items() if key != "began_at"}
        return {"is_met": self.is_met, **found, "began_at": _text(self.began_at)}

    def lines(self) -> Iterator[str]:
        """For a terminal, about 100 columns."""
        for row in self.rows():
            match row.kind:
                case "gap" | "heading" | "verdict":
                    yield row.text
                case "met" | "failed":
                    yield f"{'met   ' if row.kind == 'met' else 'FAILED'}  {row.text}"
                case "detail":
                    yield f"{'':>11}{row.text}"
                case _:
                    yield f"{row.label:>9}  {row.text}"

    def rows(self, now_seconds: float | None = None) -> Iterator[Row]:
        """All there is to read, from top to bottom.

        Args:
            now_seconds: While it goes on, how far it is: nothing is checked and judged yet.
        """
        is_over = now_seconds is None
        yield Row("heading", "", self.scenario)
        yield Row("heading", "", f"On {self.cloud}, seed {self.seed}, {told_seconds(self.lasts_seconds)} of its time.")
        yield Row("gap", "", "")
        if is_over:
            yield from self._verdicts()
            yield Row("gap", "", "")
        yield from self._steps(now_seconds)
        yield from self._disturbed()
        yield from self._backups()
        yield from self._violated()
        if is_over:
            yield Row("fact" if self.breach is None else "bad", "invariant", self.breach or "all hold")
        whole = "something is not whole yet" if self.recovery_seconds is None else _told(self.recovery_seconds)
        is_bad = self.recovery_seconds is None
        yield Row("bad" if is_bad else "fact", "recovery", "nothing broke" if self.recovery_seconds == 0 else whole)

    def _verdicts(self) -> Iterator[Row]:
        for each in self.expectations:
            beside = "" if each.expected in each.found else f" ({each.expected})"
            told = f"{each.found}{beside}" if each.is_met else f"expected {each.expected}, found {each.found}"
            yield Row("met" if each.is_met else "failed", "", f"{each.what}: {told}")
        failed = sum(not each.is_met for each in self.expectations)
        verdict = f"{failed} of {len(self.expectations)} failed." if failed else "All that was expected is so."
        yield Row("verdict", "", verdict)

    def _steps(self, now_seconds: float | None) -> Iterator[Row]:
        for step in self.steps:
            refusals = Counter(step.refused)
            many = f" ({step.done} done, {len(step.refused)} refused)" if step.refused and step.done else ""
            is_ahead = now_seconds is not None and step.at_seconds > now_seconds
            yield Row(
                "ahead" if is_ahead else "step", f"+{told_seconds(step.at_seconds)}", f"{step.do} {step.what}{many}"
            )
            if step.at_seconds < self.counts_from_seconds:
                continue
            for sentence, count in list(refusals.items())[:3]:
                yield Row("refused", "", f"refused{f', {count} times' if count > 1 else ''}: {sentence}")
            if len(refusals) > 3:
                yield Row("refused", "", f"and {len(refusals) - 3} more refusals")
        yield Row("gap", "", "")

    def _disturbed(self) -> Iterator[Row]:
        yield Row("fact", "shrunk", _many(self.shrunk, "server"))
        yield from _some(f"{each['name']} to {_share(each)}, for {', '.join(each['for'][:3])}" for each in self.shrunk)
        yield Row("bad" if self.stopped else "fact", "stopped", _many(self.stopped, "server"))
        yield from _some(
            f"{each['name']}: {each['why']} at +{_told(each['at_seconds'])}, {_back(each['back_seconds'])}"
            for each in self.stopped
        )
        yield Row("bad" if self.out else "fact", "out", _many(self.out, "server"))
        yield from _some(
            f"{each['name']}: {each['why']}; {_ended(each, each['ended_as'] or 'still out')}" for each in self.out
        )
        if self.silent:
            yield Row("bad", "silent", _many(self.silent, "cell"))
            yield from _some(
                f"{each['cell']} from +{_told(each['at_seconds'])}"
                + (", as it was before" if each["is_old"] else "")
                + f", {_ended(each, 'answers again')}"
                for each in self.silent
            )
        for each in self.evacuations:
            stays = f", {len(each['stays'])} could not leave: {', '.join(each['stays'][:4])}" if each["stays"] else ""
            yield Row("fact", "drained", f"{each['host']}, {_ended(each, 'done')}{stays}")
        if self.moved:
            yield Row("fact", "moved", f"{_many(self.moved, 'server')}: on another host in the end")
            yield from _some(f"{each['name']} from {each['from']} to {each['to']}" for each in self.moved)
        if self.longest_start is not None:
            what = f"{self.longest_start['name']} ran {_told(self.longest_start['seconds'])} after it had its place"
            yield Row("fact", "slowest", f"start: {what}")

    def _backups(self) -> Iterator[Row]:
        ready, failed = self.backups["ready"], self.backups["failed"]
        if ready or failed or self.missed or self.backups["aged"]:
            told = f"{ready} ready, {len(failed)} failed, {self.backups['overlapped']} refused as the last was not over"
            yield Row("bad" if failed else "fact", "backups", told)
            yield from _some(f"{each['name']}: {each['reason']}" for each in failed)
        if (copy := self.backups["longest_copy"]) is not None:
            yield Row("fact", "slowest", f"copy: that of {copy['name']} was whole after {_told(copy['seconds'])}")
        runs = sum(each["runs"] for each in self.missed)
        missed = f"{runs} run{'' if runs == 1 else 's'} of {_many(self.missed, 'schedule')}"
        yield Row("bad" if self.missed else "fact", "missed", missed if self.missed else "no runs")
        yield from _some(
            f"{each['name']}, due at +{_told(each['at_seconds'])}: {each['why']}; {_ended(each, 'made up for')}"
            for each in self.missed
        )
        for each in self.backups["switched_off"]:
            yield Row("bad", "off", f"{each['name']}: {each['reason']}")

    def _violated(self) -> Iterator[Row]:
        for each in self.groups:
            if each["shared_seconds"] or not each["is_apart"]:
                state = "are apart in the end" if each["is_apart"] else "share one in the end"
                told = f"members shared a host for {_told(each['shared_seconds'])}, and {state}"
                yield Row("bad", "group", f"{each['name']}: {told}")
            if each["short_seconds"]:
                least = f"{each['up_least']} of {each['members']} up"
                told = f"a member out for {_told(each['short_seconds'])}, then {least}"
                yield Row("bad", "group", f"{each['name']}: {told}")
        for each in self.backups["aged"]:
            target = each["target_seconds"]
            if target is not None and each["oldest_seconds"] > target:
                over = f"{_told(each['oldest_seconds'])} old, its target is {_told(target)}"
                yield Row("bad", "too old", f"{each['name']}: the last good backup was {over}")


# ---------------------------------------------------------------------------------------------------- from the story


def report_of(
    scenario: Scenario, story: Story, steps: Sequence[StepDone], *, cloud: str, began_at: datetime, breach: str | None
) -> Report:
    rows = _Rows(story, began_at, scenario.lasts_seconds)
    report = Report(
        scenario=scenario.title,
        about=scenario.about,
        cloud=cloud,
        seed=scenario.seed,
        began_at=began_at,
        lasts_seconds=scenario.lasts_seconds,
        counts_from_seconds=scenario.counts_from_seconds,
        steps=tuple(steps),
        shrunk=tuple(rows.shrunk()),
        stopped=tuple(rows.stopped()),
        out=tuple(
            {"name": each.name, "why": each.why, **rows.span(each), "ended_as": each.ended_as}
            for each in sorted(story.out, key=lambda each: (each.began_at, each.name))
        ),
        silent=tuple({"cell": each.cell, **rows.span(each), "is_old": each.is_old} for each in story.silent),
        missed=tuple(
            {"name": each.name, "why": each.why, "runs": each.runs, **rows.span(each)}
            for each in sorted(story.missed, key=lambda each: (each.began_at, each.name))
        ),
        moved=tuple({"name": name, "from": before, "to": after} for name, before, after in story.moved),
        evacuations=tuple({"host": each.host, **rows.span(each), "stays": each.stays} for each in story.evacuations),
        backups=rows.backups(),
        groups=tuple(rows.groups()),
        longest_start=_longest(story.longest_start),
        recovery_seconds=None if story.recovery_seconds is None else _number(story.recovery_seconds),
        breach=breach,
    )
    return replace(report, expectations=tuple(judged(report, scenario.expected, story)))


class _Rows:
    """What a story has seen, with times as seconds from the beginning."""

    def __init__(self, story: Story, began_at: datetime, ends: float) -> None:
        self._story = story
        self._began_at = began_at
        self._ends = ends

    def _since(self, at: datetime) -> float:
        return _number((at - self._began_at).total_seconds())

    def span(self, each: Span) -> dict[str, Any]:
        ended = None if each.ended_at is None else self._since(each.ended_at)
        seconds = None if ended is None else _number(ended - self._since(each.began_at))
        return {"at_seconds": self._since(each.began_at), "ended_seconds": ended, "seconds": seconds}

    def _whole(self, spans: Iterable[Span]) -> float:
        ended = ((each, self._ends if each.ended_at is None else self._since(each.ended_at)) for each in spans)
        return _number(sum(end - self._since(each.began_at) for each, end in ended))

    def shrunk(self) -> Iterator[dict[str, Any]]:
        for each in sorted(self._story.shrunk.values(), key=lambda each: each.name):
            cpu, memory = (int(share * 1000) / 1000 for share in each.least)
            yield {"name": each.name, "times": each.times, "cpu": cpu, "memory": memory, "for": each.causes}

    def stopped(self) -> Iterator[dict[str, Any]]:
        for each in sorted(self._story.stopped, key=lambda each: (each.at, each.name)):
            yield {
                "name": each.name,
                "at_seconds": self._since(each.at),
                "why": each.why,
                "is_backfilling": each.is_backfilling,
                "back_seconds": None if each.back_at is None else self._since(each.back_at),
            }

    def backups(self) -> dict[str, Any]:
        story = self._story
        return {
            "ready": story.backups_ready,
            "longest_copy": _longest(story.longest_copy),
            "failed": [{"name": name, "reason": reason} for name, reason in sorted(story.backups_failed)],
            "overlapped": story.overlapped,
            "switched_off": [{"name": name, "reason": reason} for name, reason in sorted(story.switched_off)],
            "aged": [
                {
                    "name": each.name,
                    "oldest_seconds": _number(each.oldest_seconds),
                    "target_seconds": each.target_seconds,
                }
                for each in sorted(story.aged.values(), key=lambda each: (each.name, each.oldest_seconds))
            ],
        }

    def groups(self) -> Iterator[dict[str, Any]]:
        for each in sorted(self._story.groups.values(), key=lambda each: each.name):
            yield {
                "name": each.name,
                "members": each.members,
                "is_apart_first": each.is_apart_first,
                "is_apart": each.is_apart,
                "shared_seconds": self._whole(each.shared),
                "up_least": each.up_least,
                "short_seconds": self._whole(each.short),
            }


def judged(report: Report, expected: Expected, story: Story) -> Iterator[Expectation]:
    """What was expected, what was found."""
    yield Expectation("invariants", "all hold", report.breach or "all hold", report.breach is None)
    for what, most, found in (
        ("servers stopped", expected.stopped_max, len({each["name"] for each in report.stopped})),
        ("servers shrunk", expected.shrunk_max, len(report.shrunk)),
        ("runs missed", expected.missed_max, report.runs_missed),
        ("refused", expected.refused_max, report.refused),
    ):
        if most is not None:
            yield Expectation(what, f"at most {most}", str(found), found <= most)
    if expected.recovery_seconds_max is not None:
        took, most = report.recovery_seconds, expected.recovery_seconds_max
        told = "something is not whole yet" if took is None else _told(took)
        yield Expectation("recovery", f"within {_told(most)}", told, took is not None and took <= most)
    yield from _ages(report, expected)
    if expected.groups_apart:
        yield from _groups(expected.groups_apart, story.groups)
    for name, state in expected.servers.items():
        states = story.states_of(name)
        told = ", ".join(states) if states else "no such server"
        yield Expectation(f"server {name}", state, told, bool(states) and set(states) == {state})


def _ages(report: Report, expected: Expected) -> Iterator[Expectation]:
    aged = report.backups["aged"]
    if expected.backup_age_seconds_max is not None:
        most = expected.backup_age_seconds_max
        oldest = max(aged, key=lambda each: each["oldest_seconds"], default=None)
        told = "no schedule" if oldest is None else f"{_told(oldest['oldest_seconds'])}, of {oldest['name']}"
        is_met = oldest is not None and oldest["oldest_seconds"] <= most
        yield Expectation("oldest last good backup", f"at most {_told(most)}", told, is_met)
    if expected.targets_met:
        with_target = [each for each in aged if each["target_seconds"] is not None]
        over = [each for each in with_target if each["oldest_seconds"] > each["target_seconds"]]
        told = f"{len(over)} of {len(with_target)} over theirs: {', '.join(each['name'] for each in over[:4])}"
        yield Expectation("targets of schedules", "all met", told if over else f"all met, {len(with_target)}", not over)


def _groups(wanted: bool | tuple[str, ...], groups: Mapping[str, GroupSeen]) -> Iterator[Expectation]:
    names = sorted(name for name, each in groups.items() if each.is_apart_first) if wanted is True else wanted
    assert not isinstance(names, bool)
    missing = [name for name in names if name not in groups]
    shared = [name for name in names if name in groups and not groups[name].is_apart]
    told = "apart in the end"
    if missing:
        told = f"no group {', '.join(missing)}"
    elif shared:
        told = f"members of {', '.join(shared)} share a host"
    what = "groups that were apart" if wanted is True else f"groups {', '.join(names)}"
    yield Expectation(what, "apart in the end", told, not missing and not shared)


# ---------------------------------------------------------------------------------------------------------- the words


def _longest(found: tuple[float, str] | None) -> dict[str, Any] | None:
    return None if found is None else {"name": found[1], "seconds": _number(found[0])}


def _number(seconds: float) -> float:
    """To the millisecond, and whole where it is."""
    rounded = round(seconds, 3)
    return int(rounded) if rounded == int(rounded) else rounded


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _told(seconds: float) -> str:
    whole = int(seconds)
    return told_seconds(whole) if whole == seconds or seconds >= 60 else f"{seconds:g}s"


def _share(each: Mapping[str, Any]) -> str:
    return f"{each['cpu']:.0%} of its CPU, {each['memory']:.0%} of its memory"


def _back(seconds: float | None) -> str:
    return "and did not come back" if seconds is None else f"ran again at +{_told(seconds)}"


def _ended(each: Mapping[str, Any], word: str) -> str:
    return "and so to the end" if each["seconds"] is None else f"{word} after {_told(each['seconds'])}"


def _many(things: Sequence[Any], noun: str) -> str:
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}" if things else "nobody"


def _some(lines: Iterable[str]) -> Iterator[Row]:
    listed = list(lines)
    for line in listed[:LISTED_MAX]:
        yield Row("detail", "", line)
    if len(listed) > LISTED_MAX:
        yield Row("detail", "", f"and {len(listed) - LISTED_MAX} more")
