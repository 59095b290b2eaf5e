"""A fleet as a file: cells, hosts, settings and accounts in TOML, read with every mistake named, and written again.

    seed = 7                      # optional: gives the cloud a reproducible id
    perf_factor_floor = 0.25      # optional: over 0, at most 1, to the thousandth
    grace_seconds = 30            # optional
    placement = "spread"          # optional: "spread" or "pack"

    [[accounts]]                  # optional: without any, the accounts of the demo
    name = "ops@example.org"
    project = "operations"        # optional
    is_staff = true               # optional
    may_backfill = true           # optional

    [[cells]]
    name = "cell-1"
    [[cells.hosts]]
    name = "h1"
    count = 40                    # optional: h1-01 to h1-40
    kind = "compute"
    cpu_mhz = 80000
    memory_bytes = 274877906944
    [[cells.hosts]]
    name = "s1"
    kind = "storage"
    capacity_bytes = 10995116277760

A file that is wrong gets one sentence: the file, the key, what was found and what was expected. A file that says the
same in another order, or with a `count` written out, describes the same fleet: `Fleet` is in one normal form.

Nothing here touches a data folder; `fleet_folder` makes one of a fleet, and finds the fleet in one.

Reading order: Fleet, read, parse, render; `toml_table` is how a key is checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from backend.cloud.lifecycle import GRACE_SECONDS_DEFAULT
from backend.cloud.model import SMALLEST_SERVER, HostKind
from backend.folder import OPERATOR, toml_string
from backend.toml_table import INTEGER_MAX, NAME, Table, Unreadable, Wrong, parsed, read_text

HOSTS_MAX = 200_000
CELLS_MAX = 100
"""Each is a file with threads of its own."""
GRACE_SECONDS_MAX = 366 * 86_400

FLOOR_PERMILLE_DEFAULT = 250
PROJECT_DEFAULT = "operations"
CENTRAL = "cloud"
"""The name under which cloud.db counts ids and events: no cell can have it."""


class FleetProblem(Exception):
    """The file cannot be read as a fleet. `str()` is a sentence."""


@dataclass(frozen=True, slots=True, order=True)
class FleetHost:
    name: str
    kind: HostKind
    cpu_mhz: int = 0
    """Of a compute host, as `memory_bytes`."""
    memory_bytes: int = 0
    capacity_bytes: int = 0
    """Of a storage host."""


@dataclass(frozen=True, slots=True)
class FleetCell:
    name: str
    hosts: tuple[FleetHost, ...]
    """By name."""


@dataclass(frozen=True, slots=True, order=True)
class FleetAccount:
    """Somebody who may log in, as admin of one project. Secrets are never part of a fleet."""

    name: str
    project: str = PROJECT_DEFAULT
    is_staff: bool = False
    may_backfill: bool = False


STANDARD_ACCOUNTS = (
    FleetAccount("manager@stratodeck.local", "shop"),
    FleetAccount(OPERATOR, "operations", is_staff=True, may_backfill=True),
    FleetAccount("owner@stratodeck.local", "shop"),
    FleetAccount("tenant@stratodeck.local", "shop"),
)
"""Of a demo, and of a file that names none. They alone have roles beyond their own project, as their names say."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What a cloud is made of, before there is a server in it. In normal form, so that equal fleets are equal."""

    cells: tuple[FleetCell, ...]
    """In the order of the file: it is the order in which they are shown."""
    seed: int | None = None
    floor_permille: int = FLOOR_PERMILLE_DEFAULT
    grace_seconds: int = GRACE_SECONDS_DEFAULT
    placement: Literal["spread", "pack"] = "spread"
    accounts: tuple[FleetAccount, ...] = STANDARD_ACCOUNTS
    """By name; the operator is always among them."""

    @property
    def fingerprint(self) -> str:
        """Tells fleets apart without keeping them: what a data folder remembers of the file that it was made from."""
        return hashlib.sha256(render(self).encode()).hexdigest()[:32]

    @property
    def hosts(self) -> Iterator[FleetHost]:
        return (host for cell in self.cells for host in cell.hosts)


# ------------------------------------------------------------------------------------------------------------ reading


def read(path: Path) -> Fleet:
    """Read a fleet from a file. Raises FleetProblem."""
    missing = "--cloud takes `demo`, `empty`, or a TOML file that describes a fleet."
    try:
        text = read_text(path, wanted="a TOML file that describes a fleet", missing=missing)
    except Unreadable as problem:
        raise FleetProblem(str(problem)) from problem
    return parse(text, file=str(path))


def parse(text: str, *, file: str) -> Fleet:
    """The fleet that this text describes.

    Args:
        file: What the sentence calls it.

    Raises:
        FleetProblem: one sentence, of the first thing that is wrong.
    """
    try:
        return of_table(Table("", parsed(text, file=file, noun="a fleet")))
    except Unreadable as problem:
        raise FleetProblem(str(problem)) from problem
    except Wrong as wrong:
        raise FleetProblem(f"{file}: {wrong}.") from None


def of_table(top: Table, noun: str = "the file's top level") -> Fleet:
    """The fleet that a table of a file describes. Raises Wrong, of the first thing that is wrong."""
    top.check_keys(("seed", "perf_factor_floor", "grace_seconds", "placement", "accounts", "cells"), noun)
    seed = top.integer("seed", -INTEGER_MAX - 1, INTEGER_MAX, default=0)
    is_packed = top.word("placement", ("spread", "pack"), default="spread") == "pack"
    floor_permille = top.permille("perf_factor_floor", default=FLOOR_PERMILLE_DEFAULT)
    grace_seconds = top.integer(
        "grace_seconds", 0, GRACE_SECONDS_MAX, "simulated seconds", default=GRACE_SECONDS_DEFAULT
    )
    accounts = _accounts(top.tables("accounts", at_most=10_000, needs_one=False))
    cells = _cells(top.tables("cells", at_most=CELLS_MAX, needs_one=True))
    fleet = Fleet(
        cells=cells,
        seed=seed if top.has("seed") else None,
        floor_permille=floor_permille,
        grace_seconds=grace_seconds,
        placement="pack" if is_packed else "spread",
        accounts=accounts,
    )
    if not any(host.kind is HostKind.COMPUTE for host in fleet.hosts):
        raise Wrong('cells has no host of kind "compute", expected at least one: servers live on them')
    for field in ("cpu_mhz", "memory_bytes", "capacity_bytes"):
        whole = sum(getattr(host, field) for host in fleet.hosts)
        if whole > INTEGER_MAX:
            raise Wrong(f"the {field} of all hosts add up to {whole}, expected at most {INTEGER_MAX} for a fleet")
    return fleet


def _accounts(tables: Sequence[Table]) -> tuple[FleetAccount, ...]:
    """In normal form: none listed are the standard ones, and the operator is always there."""
    found: list[FleetAccount] = []
    seen: dict[str, str] = {}
    for table in tables:
        table.check_keys(("name", "project", "is_staff", "may_backfill"), "an account")
        name = table.text("name", 254, " :")
        table.once(name, seen, expected="a name of its own")
        account = FleetAccount(
            name=name,
            project=table.text("project", 64, "", default=PROJECT_DEFAULT),
            is_staff=table.yes_or_no("is_staff"),
            may_backfill=table.yes_or_no("may_backfill"),
        )
        if name == OPERATOR and not account.is_staff:
            raise table.wrong("is_staff", f"true: the console speaks for {OPERATOR}")
        found.append(account)
    if not found:
        return STANDARD_ACCOUNTS
    if OPERATOR not in seen:
        found.append(FleetAccount(OPERATOR, PROJECT_DEFAULT, is_staff=True, may_backfill=True))
    return tuple(sorted(found))


def _cells(tables: Sequence[Table]) -> tuple[FleetCell, ...]:
    found: list[FleetCell] = []
    files: dict[str, str] = {}
    names: dict[str, str] = {}
    hosts_total = 0
    for table in tables:
        table.check_keys(("name", "hosts"), "a cell")
        name = table.name()
        if name == CENTRAL:
            raise table.wrong("name", "another name: this one stands for what lies in no cell")
        # A cell is a file, and some file systems do not tell upper from lower case.
        table.once(name, files, is_a_file=True, expected="a name of its own")
        hosts: list[FleetHost] = []
        for host in table.tables("hosts", at_most=HOSTS_MAX, needs_one=True):
            for made in _hosts(host):
                host.once(made.name, names, expected="a name of its own in the whole fleet")
                hosts.append(made)
                hosts_total += 1
                if hosts_total > HOSTS_MAX:
                    raise Wrong(f"cells has more than {HOSTS_MAX} hosts, expected at most that many in a fleet")
        found.append(FleetCell(name, tuple(sorted(hosts))))
    return tuple(found)


def _hosts(table: Table) -> Iterator[FleetHost]:
    """One, or as many as its `count` says."""
    kind = HostKind(table.word("kind", [kind.value for kind in HostKind]))
    of_kind = ("cpu_mhz", "memory_bytes") if kind is HostKind.COMPUTE else ("capacity_bytes",)
    table.check_keys(("name", "count", "kind", *of_kind), f"a {kind.value} host")
    name = table.name()
    if kind is HostKind.COMPUTE:
        cpu_mhz = table.integer("cpu_mhz", SMALLEST_SERVER.cpu_mhz, INTEGER_MAX, "MHz; less holds no server")
        memory_bytes = table.integer(
            "memory_bytes", SMALLEST_SERVER.memory_bytes, INTEGER_MAX, "bytes; less holds no server"
        )
        model = FleetHost(name, kind, cpu_mhz=cpu_mhz, memory_bytes=memory_bytes)
    else:
        model = FleetHost(name, kind, capacity_bytes=table.integer("capacity_bytes", 1, INTEGER_MAX, "bytes"))
    if not table.has("count"):
        yield model
        return
    count = table.integer("count", 1, HOSTS_MAX)
    for numbered in numbered_names(name, count):
        if not NAME.fullmatch(numbered):
            raise table.wrong("name", f"a name that leaves room for -{count} within 64 characters")
        yield _named(model, numbered)


def _named(model: FleetHost, name: str) -> FleetHost:
    return FleetHost(name, model.kind, model.cpu_mhz, model.memory_bytes, model.capacity_bytes)


def numbered_names(name: str, count: int) -> Iterator[str]:
    """NAME-01 to NAME-40: as many digits as the count needs, at least two."""
    digits = max(2, len(str(count)))
    return (f"{name}-{number:0{digits}}" for number in range(1, count + 1))


# ------------------------------------------------------------------------------------------------------------ writing


def render(fleet: Fleet) -> str:
    """The file that describes this fleet; `parse` of it gives an equal one. Runs of equal hosts are one entry."""
    lines: list[str] = []
    if fleet.seed is not None:
        lines.append(f"seed = {fleet.seed}")
    lines.append(f"perf_factor_floor = {fleet.floor_permille / 1000}")
    lines.append(f"grace_seconds = {fleet.grace_seconds}")
    lines.append(f'placement = "{fleet.placement}"')
    for account in fleet.accounts if fleet.accounts != STANDARD_ACCOUNTS else ():
        lines += [
            "",
            "[[accounts]]",
            f"name = {toml_string(account.name)}",
            f"project = {toml_string(account.project)}",
        ]
        lines += [f"{key} = true" for key in ("is_staff", "may_backfill") if getattr(account, key)]
    for cell in fleet.cells:
        lines += ["", "[[cells]]", f"name = {toml_string(cell.name)}"]
        for host, count in _folded(cell.hosts):
            lines += ["", "[[cells.hosts]]", f"name = {toml_string(host.name)}"]
            if count is not None:
                lines.append(f"count = {count}")
            lines.append(f'kind = "{host.kind.value}"')
            if host.kind is HostKind.COMPUTE:
                lines += [f"cpu_mhz = {host.cpu_mhz}", f"memory_bytes = {host.memory_bytes}"]
            else:
                lines.append(f"capacity_bytes = {host.capacity_bytes}")
    return "\n".join(lines) + "\n"


def _folded(hosts: Sequence[FleetHost]) -> Iterator[tuple[FleetHost, int | None]]:
    """Each host, or the model of a run with its count, by name: exactly what `numbered_names` makes of them again."""
    by_name = {host.name: host for host in hosts}
    for host in hosts:
        stem, dash, digits = host.name.rpartition("-")
        if host.name not in by_name:
            continue
        if dash and NAME.fullmatch(stem) and len(digits) >= 2 and digits == f"{1:0{len(digits)}}":
            count = _run_length(by_name, host, stem, len(digits))
            if count >= 2 and max(2, len(str(count))) == len(digits):
                for name in numbered_names(stem, count):
                    del by_name[name]
                yield _named(host, stem), count
                continue
        yield by_name.pop(host.name), None


def _run_length(by_name: Mapping[str, FleetHost], first: FleetHost, stem: str, digits: int) -> int:
    """How many hosts in a row, from the first on, are like it but for their numbers of so many digits."""
    count = 1
    while count < 10**digits - 1:
        name = f"{stem}-{count + 1:0{digits}}"
        if by_name.get(name) != _named(first, name):
            return count
        count += 1
    return count
