"""What happens, as values that a seed is made into before anything does, and as sentences.

A step names what it acts on by the step that made it (`s12` is the server of step 12), not by what became of that: so a
step may be left out of a story and the others still mean the same, which is what lets a story be shortened.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.outages import IN_PLACE

CELLS = ("cell-1", "cell-2")
HOSTS = ("c1-h1", "c1-h2", "c2-h1", "c2-h2", "s1-1", "s1-2", "s2-1")
OPERATING = ("ops", "ops", "sigma", "nova")
MANNERS = (*IN_PLACE, "gone with its log", "deleted", "vanishing", "old copy")


class Step(NamedTuple):
    number: int
    deed: str
    values: Mapping[str, Any]

    @property
    def sentence(self) -> str:
        return f"{self.number:>5}  {SENTENCES[self.deed].format_map(_Told(self.values))}"


class _Told(dict[str, Any]):
    """Values as they are read aloud."""

    def __getitem__(self, key: str) -> Any:
        value = super().__getitem__(key)
        if isinstance(value, list | tuple):
            return ", ".join(map(str, value)) or "nothing"
        return "no" if value is None else value


SENTENCES: Mapping[str, str] = {
    "create server": "{name} is made through {by}: {vcpus} vCPUs, {gib} GiB, backfills: {is_backfilling}, cell: {cell}",
    "boot": "{name} is booted through nova with flavor {flavor}",
    "start": "{server} is started through {by}, avoiding {avoid}",
    "stop": "{server} is stopped through {by}: {action}",
    "delete server": "{server} is deleted through {by}, with its drives: {with_drives}",
    "rename": "{server} is renamed through {by} as {name}",
    "resize": "{server} is given {vcpus} vCPUs through {by}",
    "restarts": "{server} is wanted back: {restarts}",
    "clone server": "{name} is cloned from {server}",
    "create drive": "{name} is made through {by}: {gib} GiB, cell: {cell}, avoiding {avoid}",
    "attach": "{drive} is attached to {server}",
    "detach": "{drive} is detached",
    "clone drive": "{name} is cloned from {drive}, avoiding {avoid}",
    "delete drive": "{drive} is deleted through {by}",
    "grow": "{drive} is grown to {gib} GiB",
    "snapshot": "a snapshot {name} is taken of {drive}",
    "delete snapshot": "snapshot {snapshot} is deleted",
    "back up": "backup {name} is taken of {source} through {by}",
    "restore": "backup {backup} is restored as {name}",
    "delete backup": "backup {backup} is deleted through {by}",
    "schedule": "schedule {name} of {source} runs at '{cron}', keeping {backups_max}, through {by}",
    "end schedule": "schedule {schedule} is deleted through {by}",
    "subscribe": "the operator buys {amount} of {resource}",
    "read": "{path} is read through {by}",
    "log in": "the tenant asks identity for a token",
    "host": "host {host}: {action}",
    "group": "group web: {action}",
    "advance": "{seconds} seconds pass",
    "pause": "{seconds} seconds pass on the wall",
    "jump": "the wall's clock jumps by {seconds} seconds",
    "inject": "{cell} is made {state}",
    "break file": "the file of {cell} is broken: {manner}",
    "mend file": "what is wrong with files is put right",
    "keep copy": "a copy of {cell} is kept",
    "slow disk": "the disk of {file} takes {seconds} seconds for everything",
    "full disk": "the disk of {file} is full",
    "failing disk": "the disk of {file} fails in each commit, which is kept all the same: {is_kept}",
    "mend disk": "the disks are well again",
    "restart": "the backend is closed and opened again",
    "kill": "the backend is killed, {commits} commits into this:",
    "look": "the console looks",
}


@dataclass
class Teller:
    """Makes up a story. It knows what was asked for, and not what came of it."""

    chance: random.Random
    servers: list[str] = field(default_factory=list)
    drives: list[str] = field(default_factory=list)
    snapshots: list[str] = field(default_factory=list)
    backups: list[str] = field(default_factory=list)
    schedules: list[str] = field(default_factory=list)
    copied: set[str] = field(default_factory=set)

    def some(self, names: Sequence[str]) -> str:
        # Mostly the youngest: what is long gone is asked for often enough.
        return self.chance.choice(names[-8:]) if names else "nothing"

    def by(self) -> str:
        return self.chance.choice(OPERATING)

    def avoid(self) -> list[str]:
        known = [*self.servers[-6:], *self.drives[-6:]]
        return self.chance.sample(known, min(len(known), self.chance.choice((0, 0, 1, 2))))

    def source(self) -> str:
        return "project" if self.chance.random() < 0.15 else self.some(self.servers)

    def make(self, kind: str, number: int) -> str:
        name = f"{kind[0] if kind != 'schedules' else 'r'}{number}" if kind != "snapshots" else f"p{number}"
        getattr(self, kind).append(name)
        return name

    def forget(self, kind: str, name: str) -> None:
        names = getattr(self, kind)
        # Now and then what is deleted is asked for again.
        if name in names and self.chance.random() < 0.8:
            names.remove(name)

    def step(self, number: int) -> Step:
        deeds = tuple(DEEDS)
        (deed,) = self.chance.choices(deeds, [DEEDS[name][0] for name in deeds])
        return Step(number, deed, DEEDS[deed][1](self, number))

    def killed(self, number: int) -> Mapping[str, Any]:
        (deed,) = self.chance.choices(KILLED_IN, [DEEDS[name][0] for name in KILLED_IN])
        return {
            "commits": self.chance.choice((0, 1, 1, 2, 2, 3, 4)),
            "deed": deed,
            "inner": DEEDS[deed][1](self, number),
        }


def _create(t: Teller, n: int) -> Mapping[str, Any]:
    c = t.chance
    return {
        "by": c.choice(("ops", "ops", "sigma")),
        "name": t.make("servers", n),
        "vcpus": c.choice((1, 1, 2, 4, 8)),
        "gib": c.choice((1, 2, 8, 32)),
        "is_backfilling": c.random() < 0.6,
        "cell": c.choice((None, None, *CELLS)),
        "is_grouped": c.random() < 0.3,
    }


def _delete_server(t: Teller, _n: int) -> Mapping[str, Any]:
    server = t.some(t.servers)
    t.forget("servers", server)
    return {"by": t.by(), "server": server, "with_drives": t.chance.random() < 0.4}


def _delete(kind: str, what: str, *ways: str) -> Callable[[Teller, int], Mapping[str, Any]]:
    def make(t: Teller, _n: int) -> Mapping[str, Any]:
        name = t.some(getattr(t, kind))
        t.forget(kind, name)
        return {"by": t.chance.choice(ways), what: name}

    return make


def _break(t: Teller, _n: int) -> Mapping[str, Any]:
    cell, manner = t.chance.choice(CELLS), t.chance.choice(MANNERS)
    return {"cell": cell, "manner": manner}


READS: Sequence[tuple[str, str]] = (
    *(("ops", path) for path in ("/status", "/servers?limit=7", "/hosts", "/drives", "/groups", "/tasks", "/capacity")),
    *(("ops", path) for path in ("/services", "/schedules", "/backups", "/backups/coverage", "/billing", "/cells")),
    *(("ops", path) for path in ("/groups/web/plan", "/schedules/calendar", "/billing/ledger", "/backups/storage")),
    *(("sigma", path) for path in ("/servers/detail/", "/drives/detail/", "/bservers/", "/balance/", "/currentusage/")),
    *(
        ("sigma", path)
        for path in ("/ledger/", "/snapshots/", "/jobs/", "/servers/availability_groups/", "/libdrives/")
    ),
    *(("nova", path) for path in ("/servers/detail", "/servers", "/os-services", "/os-hypervisors", "/limits")),
    *(("identity", path) for path in ("/v3/projects", "/v3/auth/catalog", "/v3/users")),
    *(("image", path) for path in ("/v2/images", "/v2/schemas/image")),
    *(("waldur", path) for path in ("/backups/", "/backup-schedules/", "/instances/", "/flavors/", "/projects/")),
)

DEEDS: Mapping[str, tuple[float, Callable[[Teller, int], Mapping[str, Any]]]] = {
    "create server": (9, _create),
    "boot": (3, lambda t, n: {"name": t.make("servers", n), "flavor": t.chance.choice(("1", "2", "3"))}),
    "start": (13, lambda t, n: {"by": t.by(), "server": t.some(t.servers), "avoid": t.avoid()}),
    "stop": (5, lambda t, n: {"by": t.by(), "server": t.some(t.servers),
                              "action": t.chance.choice(("stop", "shutdown"))}),
    "delete server": (4, _delete_server),
    "rename": (2, lambda t, n: {"by": t.by(), "server": t.some(t.servers), "name": f"renamed{n}"}),
    "resize": (2, lambda t, n: {"by": t.chance.choice(("ops", "sigma")), "server": t.some(t.servers),
                                "vcpus": t.chance.choice((1, 2, 8))}),
    "restarts": (2, lambda t, n: {"server": t.some(t.servers), "restarts": t.chance.random() < 0.8}),
    "clone server": (1.5, lambda t, n: {"server": t.some(t.servers), "name": t.make("servers", n),
                                        "is_apart": t.chance.random() < 0.5}),
    "create drive": (5, lambda t, n: {"by": t.chance.choice(("ops", "sigma")), "name": t.make("drives", n),
                                      "gib": t.chance.choice((1, 10)), "cell": t.chance.choice((None, *CELLS)),
                                      "avoid": t.avoid()}),
    "attach": (5, lambda t, n: {"drive": t.some(t.drives), "server": t.some(t.servers)}),
    "detach": (2, lambda t, n: {"drive": t.some(t.drives)}),
    "clone drive": (1.5, lambda t, n: {"drive": t.some(t.drives), "name": t.make("drives", n), "avoid": t.avoid()}),
    "delete drive": (2.5, _delete("drives", "drive", "ops", "sigma")),
    "grow": (1, lambda t, n: {"drive": t.some(t.drives), "gib": t.chance.choice((11, 40, 2000))}),
    "snapshot": (1, lambda t, n: {"drive": t.some(t.drives), "name": t.make("snapshots", n)}),
    "delete snapshot": (0.7, _delete("snapshots", "snapshot", "ops")),
    "back up": (3, lambda t, n: {"by": t.chance.choice(("ops", "waldur")), "source": t.source(),
                                 "name": t.make("backups", n)}),
    "restore": (1, lambda t, n: {"backup": t.some(t.backups), "name": t.make("servers", n)}),
    "delete backup": (2, _delete("backups", "backup", "ops", "waldur")),
    "schedule": (1, lambda t, n: {"by": t.chance.choice(("ops", "waldur")), "source": t.source(),
                                  "name": t.make("schedules", n), "backups_max": t.chance.choice((1, 2)),
                                  "cron": t.chance.choice(("*/7 * * * *", "0 * * * *", "*/2 * * * *"))}),
    "end schedule": (0.8, _delete("schedules", "schedule", "ops", "waldur")),
    "subscribe": (0.5, lambda t, n: {"resource": "cpu", "amount": t.chance.choice((500, 4000))}),
    "read": (8, lambda t, n: dict(zip(("by", "path"), t.chance.choice(READS), strict=True))),
    "log in": (0.5, lambda t, n: {}),
    "host": (3, lambda t, n: {"host": t.chance.choice(HOSTS),
                              "action": t.chance.choice(("fail", "recover", "recover", "drain", "evacuate"))}),
    "group": (1.5, lambda t, n: {"action": t.chance.choice(("restore", "restore", "end"))}),
    "advance": (12, lambda t, n: {"seconds": t.chance.choice((1, 3, 9, 31, 300))}),
    "pause": (2, lambda t, n: {"seconds": t.chance.choice((0.3, 1, 6))}),
    "jump": (0.4, lambda t, n: {"seconds": t.chance.choice((-3600, -1, 60, 90_000))}),
    "inject": (2, lambda t, n: {"cell": t.chance.choice(CELLS),
                                "state": t.chance.choice(("down", "hung", "up", "up", "up", "up"))}),
    "break file": (0.5, _break),
    "mend file": (3, lambda t, n: {}),
    "keep copy": (0.3, lambda t, n: {"cell": t.chance.choice(CELLS)}),
    "slow disk": (0.4, lambda t, n: {"file": t.chance.choice((*CELLS, "cloud")),
                                     "seconds": t.chance.choice((0.02, 0.15, 0.5))}),
    "full disk": (0.3, lambda t, n: {"file": t.chance.choice((*CELLS, "cloud"))}),
    "failing disk": (0.3, lambda t, n: {"file": t.chance.choice((*CELLS, "cloud")),
                                        "is_kept": t.chance.random() < 0.5}),
    "mend disk": (4, lambda t, n: {}),
    "restart": (0.4, lambda t, n: {}),
    "kill": (1, lambda t, n: t.killed(n)),
    "look": (6, lambda t, n: {}),
}  # fmt: skip
"""How likely each is, and what it is of."""

KILLED_IN = (
    "create server", "boot", "start", "stop", "delete server", "rename", "clone server", "create drive", "attach",
    "detach", "clone drive", "delete drive", "snapshot", "back up", "restore", "delete backup", "schedule", "advance",
    "host", "group", "end schedule",
)  # fmt: skip


def tell(seed: int, count: int) -> list[Step]:
    """The story of a seed. A longer one begins like a shorter one."""
    teller = Teller(random.Random(seed))
    return [teller.step(number) for number in range(1, count + 1)]


def sentences(story: Sequence[Step]) -> list[str]:
    told = []
    for step in story:
        told.append(step.sentence)
        if step.deed == "kill":
            told.append(" " * 7 + Step(step.number, step.values["deed"], step.values["inner"]).sentence.strip())
    return told
