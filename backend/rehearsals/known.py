"""The names that the cloud of a scenario has: as many as can be told before it is made, or all, once it is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backend import replay, seed
from backend.fleet_file import Fleet
from backend.quoting import shown
from backend.rehearsals.steps import Create, Step

_SOME = 6
"""So many names are told in a sentence."""


@dataclass(frozen=True, slots=True)
class Known:
    """None: not known yet."""

    cells: Sequence[str]
    hosts: Sequence[str] | None = None
    servers: frozenset[str] | None = None
    """Before the first step."""
    groups: frozenset[str] | None = None
    """Those that have members then."""

    def misfits(self, steps: Sequence[Step]) -> Iterator[str]:
        """A sentence without its file for each name of a cell or a host that the cloud does not have."""
        for step in steps:
            for kind, names in (("cell", self.cells), ("host", self.hosts)):
                name = getattr(step.act, kind, None)
                if name is not None and names is not None and name not in names:
                    told = f"{step.where}.{kind} is the string {shown(name)}"
                    yield f"{told}, expected one of the cloud's: {_some(names)}"

    def strangers(self, wanted: Sequence[str], steps: Sequence[Step]) -> Iterator[str]:
        """Those of the servers that are neither there at the beginning nor made by any step."""
        if self.servers is None:
            return
        made = {name for step in steps if isinstance(step.act, Create) for name in step.act.names}
        yield from (name for name in wanted if name not in made and name not in self.servers)

    def groups_of_nobody(self, wanted: Sequence[str], steps: Sequence[Step]) -> Iterator[str]:
        """Those of the groups that nobody is in at the beginning, and into which no step makes anybody."""
        if self.groups is None:
            return
        made = {step.act.group for step in steps if isinstance(step.act, Create)}
        yield from (name for name in wanted if name not in made and name not in self.groups)


def before(cloud: str, fleet: Fleet | None) -> Known:
    """What is known of the cloud of a scenario before it is made."""
    if fleet is not None:
        return Known([cell.name for cell in fleet.cells], [host.name for host in fleet.hosts], frozenset(), frozenset())
    if cloud == "demo":
        groups = frozenset(name for name, _ in seed.GROUPS)
        return Known(seed.CELLS, seed.host_names(), seed.server_names(), groups)
    # How many hosts there are of a trace is known when its peak is.
    return Known((replay.CELL,), groups=frozenset())


def _some(names: Sequence[str]) -> str:
    return ", ".join(sorted(names)[:_SOME]) + (f" and {len(names) - _SOME} more" if len(names) > _SOME else "")
