"""Every parser of what somebody else writes: what it is fed, and what must be true of what it says to that.

Each gives a value that survives being written and read again, or the sentence of its own error.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from backend import fleet_file, folder
from backend.cloud import backups
from backend.cloud.errors import Invalid
from backend.cloud.model import GIB
from backend.dialects import wire
from backend.dialects.ops.log_places import position_of
from backend.fleet_file import FleetProblem
from backend.folder import FolderProblem
from backend.operations import feed
from backend.rehearsals import scenario
from backend.rehearsals.scenario import ScenarioProblem
from backend.trace import own_csv
from backend.trace.workload import Arrival, TraceProblem
from console import command_line, contexts, kept, keymaps
from console import settings as console_settings
from console.keymaps import KeymapProblem
from console.openstack.login import CloudProblem, login_of
from console.presentation import filtering
from console.presentation.columns import Column, Kind
from console.presentation.filtering import Comparison, Word
from console.sanitising import sanitise
from console.settings import SettingsProblem
from tests.corpora import encoded, texts
from tests.rehearsing import SMALL, a_text

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
COLUMNS: tuple[Column[Mapping[str, Any]], ...] = (
    Column("state", lambda row: row["state"], Kind.WORD, is_searched=True),
    Column("name", lambda row: row["name"], is_searched=True),
    Column("cpu", lambda row: row["cpu"], Kind.CPU),
    Column("memory", lambda row: row["memory"], Kind.BYTES),
    Column("age", lambda row: row["age"], Kind.SECONDS),
    Column("factor", lambda row: row["factor"], Kind.SHARE),
    Column("id", lambda row: row["id"], Kind.ID, is_searched=True),
)
ROW: Mapping[str, Any] = {
    "state": "running",
    "name": "web-01",
    "cpu": 4000,
    "memory": 8 * GIB,
    "age": 60,
    "factor": 0.5,
    "id": "0f0f0f",
}


def check_sentence(sentence: str) -> None:
    assert sentence
    assert sentence.isprintable(), repr(sentence[:300])
    assert len(sentence) < 2_000, f"{len(sentence):,} characters"


@dataclass(frozen=True, slots=True)
class Parser:
    """`check` reads a text, or the file that holds it, and raises nothing but AssertionError."""

    name: str
    check: Callable[[Any, Path], None]
    inputs: st.SearchStrategy[Any]
    large: tuple[Callable[[int], Any], ...]
    """Texts of about so many parts, for the time that they take."""
    few: int = 60
    """How many cases everybody tries, and how many are tried when there is time: fewer of what loads libraries, or
    writes files each time."""
    many: int = 8_000
    size: int = 4_000
    """How many parts are many for it."""

    def __str__(self) -> str:
        return self.name


# --- what the backend reads ----------------------------------------------------------------------------------------

FLEET = """seed = 7
perf_factor_floor = 0.25
grace_seconds = 30
placement = "pack"
[[accounts]]
name = "ops@example.org"
is_staff = true
[[cells]]
name = "cell-1"
[[cells.hosts]]
name = "h1"
count = 3
kind = "compute"
cpu_mhz = 80000
memory_bytes = 274877906944
[[cells.hosts]]
name = "s1"
kind = "storage"
capacity_bytes = 10995116277760
"""
HOST = '[[cells.hosts]]\nname = "x{}"\nkind = "compute"\ncpu_mhz = 1000\nmemory_bytes = 1073741824\n'
_TOML = ("\n", " = ", "[[", "]]", "[", "]", '"', "true", "{", "}", ", ")


def check_fleet(text: str, _: Path) -> None:
    try:
        found = fleet_file.parse(text, file="it.toml")
    except FleetProblem as problem:
        check_sentence(str(problem))
    else:
        assert fleet_file.parse(fleet_file.render(found), file="it.toml") == found


SCENARIO = a_text(
    'at = "10m"\ndo = "host-lost"\nhost = "a-01"',
    f'do = "create"\nname = "web"\ncount = 3\nbackfilling = true\n{SMALL}',
    'after = "30s"\ndo = "stop"\nservers = ["web-*", "db"]',
    'do = "schedule"\nservers = "web-*"\ncron = "*/10 * * * *"\ntarget = "15m"',
    expected='stopped_max = 2\nrecovery_max = "1h05m"\n[expected.servers]\nweb-02 = "running"',
)


STEP = '[[steps]]\nat = 1\ndo = "cell-up"\ncell = "cell-1"\n'


def check_scenario(text: str, _: Path) -> None:
    try:
        found = scenario.parse(text, file="it.toml")
    except ScenarioProblem as problem:
        told = problem.sentences
    else:
        assert scenario.parse(text, file="it.toml") == found
        assert [step.at_seconds for step in found.steps] == sorted(step.at_seconds for step in found.steps)
        return
    assert told
    for sentence in told:
        check_sentence(sentence)


TRACE = "arrival_seconds,lifetime_seconds,vcpus,memory_gib,tenant_batch\n0,300,8,14,1\n0,,1,0.75,2\n300,600,2,3.5,1\n"


def csv_of(arrivals: list[Arrival]) -> str:
    head, *_ = TRACE.splitlines()
    rows = (
        f"{each.at_seconds},{'' if each.lifetime_seconds is None else each.lifetime_seconds},{each.vcpus},"
        f"{each.size.memory_bytes / GIB:.15f},{each.tenant_batch}"
        for each in arrivals
    )
    return "\n".join([head, *rows])


def check_trace(content: bytes, path: Path) -> None:
    file = path / "it.csv"
    file.write_bytes(content)
    try:
        found = own_csv.load(file)
    except TraceProblem as problem:
        check_sentence(str(problem).removeprefix(str(file)))
        return
    arrivals = list(found.arrivals(1e9))
    file.write_text(csv_of(arrivals))
    again = list(own_csv.load(file).arrivals(1e9))
    # A size has as many digits as a float: written out they may come to the byte beside it.
    assert [(each.at_seconds, each.lifetime_seconds, each.vcpus, each.tenant_batch) for each in again] == [
        (each.at_seconds, each.lifetime_seconds, each.vcpus, each.tenant_batch) for each in arrivals
    ]
    assert all(abs(a.size.memory_bytes - b.size.memory_bytes) <= 1 for a, b in zip(again, arrivals, strict=True))


CREDENTIALS = '["a@b"]\npassword = "x"\ntoken = "y"\n\n["c"]\npassword = "z"\ntoken = "w"\n'


def check_credentials(content: bytes, path: Path) -> None:
    (path / folder.CREDENTIALS).write_bytes(content)
    try:
        found = folder.read_credentials(path)
    except FolderProblem as problem:
        check_sentence(str(problem))
    else:
        for secrets in found.by_account.values():
            assert isinstance(secrets.password, str)
            assert isinstance(secrets.token, str)


CRONS = ("*/5 1-3,7 * * *", "0 3 1 jan-mar mon,fri", "@daily", "59 23 31 12 7", "0 0 29 2 *", "10/20 * */2 * */3")
_CRON = (" ", "*", "/", "-", ",", "1", "7", "30", "mon", "jan", "@hourly", "*/2", "1-5")


def cron_of(cron: backups.Cron) -> str:
    """Another text for the same rule."""
    star = "*/1" if cron.needs_both_days else ""

    def listed(values: Iterable[int]) -> str:
        runs: list[list[int]] = []
        for value in sorted(values):
            if runs and value == runs[-1][1] + 1:
                runs[-1][1] = value
            else:
                runs.append([value, value])
        return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)

    minutes = "*" if cron.runs_by_elapsed_time and len(cron.minutes) == 60 else listed(cron.minutes)
    days, weekdays = listed(cron.days), listed(cron.weekdays)
    if star and len(cron.days) == 31:
        days = star
    elif star and len(cron.weekdays) == 7:
        weekdays = star
    elif star:
        # Two restrictions that both have to hold can be written with steps only.
        return cron.expression
    return f"{minutes} {listed(cron.hours)} {days} {listed(cron.months)} {weekdays}"


def check_cron(text: str, _: Path) -> None:
    try:
        found = backups.parse(text, "UTC")
    except backups.CronError as error:
        check_sentence(str(error))
        return
    if len(cron_of(found)) <= backups.EXPRESSION_CHARACTERS_MAX:
        again = backups.parse(cron_of(found), "UTC")
        assert again.fires(NOON, 3) == found.fires(NOON, 3)


UUIDS = [f"00000000-0000-4000-8000-{number:012x}" for number in range(4)]


def check_avoid(text: str, _: Path) -> None:
    try:
        found = wire.avoid_list(wire.comma_list(text))
    except Invalid as error:
        check_sentence(str(error))
    else:
        assert wire.avoid_list(wire.comma_list(",".join(found))) == found


def check_cursor(text: str, _: Path) -> None:
    try:
        found = feed.decode(text)
    except Invalid as error:
        check_sentence(str(error))
    else:
        assert feed.decode(feed.encode(found)) == found


def check_position(text: str, _: Path) -> None:
    try:
        found = position_of("at", text)
    except Invalid as error:
        check_sentence(str(error))
    else:
        told = found.at.isoformat() + (f",{found.file},{found.number}" if found.file is not None else "")
        assert position_of("at", told) == found


BODY = '{"name": "x", "cpu_mhz": 1000, "tags": ["a", {"b": null}]}'


def check_json(content: bytes, _: Path) -> None:
    try:
        found = wire.parse_json(content)
    except Invalid as error:
        check_sentence(str(error))
    else:
        import orjson

        assert wire.parse_json(orjson.dumps(found)) == found


# --- what the console reads ----------------------------------------------------------------------------------------

SETTINGS = """palette = "light"
seed = 3
clock_rate = 60
ascii = true
data = "/tmp/somewhere"
undo_seconds = 0.5
[keys]
filter = "ctrl+g"
"move.down" = ["n", "ctrl+n"]
[clouds.lab]
data = "/tmp/lab"
colour = "green"
[clouds.far]
url = "https://example.org"
token_command = ["pass", "show", "x"]
production = true
"""


CLOUD = '[clouds.a{}]\ndata = "/tmp/{}"\n'


def check_settings(content: bytes, path: Path) -> None:
    file = path / "settings.toml"
    file.write_bytes(content)
    environment = {console_settings.FILE_VARIABLE: str(file)}
    try:
        found = console_settings.resolve(environment=environment)
        listed = contexts.read(found.clouds, file)
        keymaps.make(found.keymap, found.keys)
    except (SettingsProblem, KeymapProblem) as problem:
        check_sentence(str(problem))
    else:
        assert console_settings.resolve(environment=environment) == found
        assert contexts.read(found.clouds, file) == listed


ENVIRONMENT = ("true", "off", "60", "1e3", "dark", "~/x", "azure.toml", "3")


def check_environment(text: str, path: Path) -> None:
    for setting in console_settings.SETTINGS:
        environment = {console_settings.FILE_VARIABLE: str(path / "none"), setting.variable: text}
        try:
            console_settings.resolve(environment=environment)
        except SettingsProblem as problem:
            check_sentence(str(problem))


KEPT = """{"version": 1, "columns": {"servers": ["name", "cpu"]},
"bookmarks": {"c": {"a": {"view": "servers", "scope": null, "filter": "web", "sort": "", "is_descending": false}}},
"lines": {"c": {":": ["servers"], "/": ["web"]}}}"""


def check_kept(content: bytes, path: Path) -> None:
    file = path / "console.json"
    file.write_bytes(content)
    keeper = kept.Keeper(file)
    if keeper.problem:
        check_sentence(keeper.problem)
        return
    keeper.change(lambda found: found)
    assert keeper.problem == ""
    assert kept.Keeper(file).kept == keeper.kept


CLOUDS_YAML = """clouds:
  x:
    auth:
      auth_url: http://127.0.0.1:1/identity/v3
      username: "a"
      password: b
      project_name: c
      user_domain_name: Default
    region_name: RegionOne
    verify: false
    networks:
      - name: n
"""


def check_clouds_yaml(content: bytes, path: Path) -> None:
    file = path / "clouds.yaml"
    file.write_bytes(content)
    before = os.environ.get("OS_CLIENT_CONFIG_FILE")
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(file)
    try:
        found = login_of("x")
    except CloudProblem as problem:
        check_sentence(str(problem))
    else:
        assert found.place == login_of("x").place
        assert found.place == sanitise(found.place)
    finally:
        del os.environ["OS_CLIENT_CONFIG_FILE"]
        if before is not None:
            os.environ["OS_CLIENT_CONFIG_FILE"] = before


LINES = (
    "servers @cell-2 state=running /web db", "cell cell-1", "host c1-h01", "clock x60", "advance 5m", "sort cpu down",
    "rehearse my file.toml x2000", "calendar Europe/Berlin", "find web", "backups web", "group web", "palette light",
    "ctx lab", "q!", "servers @all cpu>4000",
)  # fmt: skip


def check_line(text: str, _: Path) -> None:
    match command_line.parse_line(text):
        case command_line.Problem(sentence):
            assert sentence
        case command_line.GoTo(view, scope, terms) if view in ("servers", "hosts", "events"):
            again = command_line.parse_line(f"{view}{'' if scope is None else f' @{scope}'} /{terms}")
            assert isinstance(again, command_line.GoTo)
            assert (again.view, again.scope, again.filter.split()) == (view, scope, terms.split())
    ghost = command_line.complete_line(text, {"servers": ["cell-1"], "host": ["c1-h01"]}, lambda _view: COLUMNS)
    assert ghost is None or ghost.startswith(text)


FILTERS = ("web", "'web 01", "!web", "state:run cpu>4000", "memory>=8g !age<1h30m", "factor<50% id=0f0f", "cpu!=4ghz")
_UNITS = {"cpu": "mhz", "memory": "b", "age": "s", "factor": ""}


def filter_of(term: filtering.Term) -> str:
    match term:
        case Word(text, is_exact, is_inverted):
            return ("!" if is_inverted else "") + ("'" if is_exact and not is_inverted else "") + text
        case Comparison(column, operator, operand, is_inverted):
            value = f"{operand:.20f}{_UNITS[column]}" if isinstance(operand, float) else operand
            return f"{'!' if is_inverted else ''}{column}{operator}{value}"


def check_filter(text: str, _: Path) -> None:
    query = filtering.parse(text, COLUMNS)
    filtering.matching([ROW], query, COLUMNS)
    assert isinstance(filtering.places(text, "web-01"), list)
    for term in query.terms:
        again = filtering.parse(filter_of(term), COLUMNS).terms
        if isinstance(term, Comparison) and isinstance(term.operand, float):
            assert [each[:2] for each in again] == [term[:2]]
            assert isinstance(again[0], Comparison)
            assert again[0].operand == pytest.approx(term.operand, rel=1e-9, abs=1e-15)
        elif isinstance(term, Comparison):
            assert again == (term,)
        else:
            # What is left out is left out as it stands, whether or not that was asked for.
            assert [(each.text, each.is_inverted) for each in again if isinstance(each, Word)] == [
                (term.text.removeprefix("'") if term.is_inverted else term.text, term.is_inverted)
            ] or "'" in term.text or "!" in term.text or has_sign_that_folds_to_letters(text)  # fmt: skip


def has_sign_that_folds_to_letters(text: str) -> bool:
    """Such as ß, which is looked for as ss: what begins with it names no column, and what it is looked for as may."""
    return any(not sign.isascii() and sign.casefold().isascii() for sign in text)


def many(piece: str) -> Callable[[int], str]:
    return lambda count: piece * count


def in_bytes(make: Callable[[int], str]) -> Callable[[int], bytes]:
    return lambda count: make(count).encode()


PARSERS = (
    Parser(
        "a fleet",
        check_fleet,
        texts([FLEET, FLEET + HOST.format(1)], (*_TOML, "count", "cpu_mhz", "cells", "hosts")),
        (
            lambda n: FLEET + "".join(HOST.format(number) for number in range(n)),
            lambda n: FLEET + "x" * 50 * n,
            lambda n: f"seed = {'[' * n}{']' * n}",
            lambda n: f'placement = "{"x" * 50 * n}"',
        ),
        size=1_000,
    ),
    Parser(
        "a scenario",
        check_scenario,
        texts([SCENARIO], (*_TOML, "at", "do", "steps", '"10m"', "stop")),
        (
            lambda n: SCENARIO.replace(
                "[expected]", '[[steps]]\nat = 1\ndo = "cell-up"\ncell = "cell-1"\n' * n + "[expected]"
            ),
            lambda n: SCENARIO.replace('"web-*", "db"', ", ".join(['"web-*"'] * n)),
            lambda n: f'lasts = "{"1h" * n}"',
        ),
        size=500,
    ),
    Parser(
        "a trace",
        check_trace,
        encoded(texts([TRACE], ("0", "300", ",", "\n", '"', "8", "0.75"))),
        (
            in_bytes(lambda n: TRACE + "300,,1,1,1\n" * n),
            in_bytes(lambda n: TRACE + '"' + "x\n" * n),
            in_bytes(lambda n: TRACE + "," * n),
        ),
        many=4_000,
    ),
    Parser(
        "credentials",
        check_credentials,
        encoded(texts([CREDENTIALS], (*_TOML, "password", "token"))),
        (in_bytes(lambda n: "".join(f'["{number}"]\npassword = "x"\ntoken = "y"\n' for number in range(n))),),
        many=4_000,
        size=1_000,
    ),
    Parser(
        "a schedule",
        check_cron,
        texts(CRONS, _CRON),
        (many("* "), many("1,"), many("1-5/2,"), many("9"), many("-"), lambda n: "*/1," * n + " * * * *"),
    ),
    Parser(
        "an avoid list",
        check_avoid,
        texts([",".join(UUIDS), UUIDS[0].replace("-", "")], ("-", ",", " ", "0f", UUIDS[0])),
        (many(f"{UUIDS[0]},"), many("a"), many("-,"), many(" ,")),
    ),
    Parser(
        "a cursor",
        check_cursor,
        texts([feed.encode({"cloud": 3, "cell-1": 9})], ("=", "e30", "_", "-")),
        (many("e30"), many("W1tb")),
    ),
    Parser(
        "a moment",
        check_position,
        texts(["2026-11-20T14:03:27Z,cell-1,17", "2026-11-20T14:03:27.5+02:00"], ("-", ":", "T", "Z", ",", "2026")),
        (many("2026-"), many(","), many("1")),
    ),
    Parser(
        "a body",
        check_json,
        encoded(
            texts(
                ['{"name": "x", "cpu_mhz": 1000, "tags": ["a", {"b": null}]}'],
                ("{", "}", "[", "]", '"a"', ":", ",", "1e5"),
            )
        ),
        (in_bytes(many("[")), in_bytes(many('{"a":')), in_bytes(lambda n: "[" + "1," * n + "1]"), in_bytes(many("9"))),
    ),
    Parser(
        "settings",
        check_settings,
        encoded(texts([SETTINGS], (*_TOML, "palette", "clouds.x", "keys", "url"))),
        (
            in_bytes(
                lambda n: SETTINGS + "".join(f'[clouds.a{number}]\ndata = "/tmp/{number}"\n' for number in range(n))
            ),
            in_bytes(lambda n: SETTINGS.replace('"n"', '"n", ' * n + '"n"')),
            in_bytes(lambda n: f'palette = "{"x" * 20 * n}"'),
            in_bytes(lambda n: f'"{"ab" * 20 * n}" = 1'),
        ),
        many=2_000,
        size=200,
    ),
    Parser(
        "the environment",
        check_environment,
        texts(ENVIRONMENT, ("1", "/", "~", "[", '"')).filter(lambda text: "\0" not in text),
        (many("1"), many("x")),
        few=15,
        many=1_000,
        size=1_000,
    ),
    Parser(
        "what a console keeps",
        check_kept,
        encoded(texts([KEPT], ("{", "}", "[", "]", '"a"', ":", ","))),
        (in_bytes(many("[")), in_bytes(lambda n: KEPT.replace('"web"', '"web",' * n + '"web"'))),
        many=2_000,
    ),
    Parser(
        "clouds.yaml",
        check_clouds_yaml,
        encoded(texts([CLOUDS_YAML], ("\n", "  ", ": ", "- ", "{", "}", "&a ", "*a", "auth", "clouds"))),
        (),
        few=12,
        many=600,
    ),
    Parser(
        "a line of the console",
        check_line,
        texts(LINES, (" ", "@", "/", "=", ">", "servers", "clock", "x60")),
        (many("servers "), many("a"), many("/"), many("@x "), many("cpu>1 ")),
    ),
    Parser(
        "a filter",
        check_filter,
        texts(FILTERS, (" ", "!", "'", ":", "=", ">", "<", "cpu", "age", "web", "4g")),
        (many("web "), many("w"), many("!"), many("cpu>"), many("1h")),
        size=1_000,
    ),
)
