"""Scenarios for tests: a small one in parts, and random ones, right and wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from backend.rehearsals.scenario import Scenario, parse
from backend.rehearsals.steps import VERBS

FLEET = """
[cloud]
grace_seconds = 20
[[cloud.cells]]
name = "cell-1"
[[cloud.cells.hosts]]
name = "a"
count = 2
kind = "compute"
cpu_mhz = 8000
memory_bytes = 17179869184
[[cloud.cells.hosts]]
name = "sa"
kind = "storage"
capacity_bytes = 1099511627776
[[cloud.cells]]
name = "cell-2"
[[cloud.cells.hosts]]
name = "b"
count = 2
kind = "compute"
cpu_mhz = 8000
memory_bytes = 17179869184
[[cloud.cells.hosts]]
name = "sb"
kind = "storage"
capacity_bytes = 1099511627776
"""
SMALL = "cpu_mhz = 2000\nmemory_bytes = 2147483648\n"
LARGE = "cpu_mhz = 8000\nmemory_bytes = 8589934592\n"


def a_text(*steps: str, expected: str = "", top: str = 'lasts = "1h"\n', fleet: str = FLEET) -> str:
    """A scenario on two cells of two hosts with 4 cores each; every step is the lines of its table."""
    tables = "".join(f"\n[[steps]]\n{step}\n" for step in steps)
    return f'title = "a test"\n{top}{fleet}{tables}\n[expected]\n{expected}\n'


def a_scenario(*steps: str, expected: str = "", top: str = 'lasts = "1h"\n', fleet: str = FLEET) -> Scenario:
    return parse(a_text(*steps, expected=expected, top=top, fleet=fleet), file="test.toml")


# ---------------------------------------------------------------------------------------------------- what is written

_KEYS = sorted({key for keys, _ in VERBS.values() for key in keys} | {"at", "after", "do", "nonsense"})
_TOP_KEYS = ("title", "about", "cloud", "begin", "seed", "lasts", "counts_from", "hours", "steps", "expected", "what")
_WORDS = (*VERBS, "demo", "azure-2017", "cell-1", "a-01", "web-*", "[", "10m", "1h30m", "-5s", "* * * * *", "", "ü\x7f")
_plain = (
    st.sampled_from(_WORDS)
    | st.text(max_size=8)
    | st.integers(-3, 10)
    | st.integers()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
)
_values = st.recursive(
    _plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=3),
    max_leaves=6,
)
_step = st.fixed_dictionaries(
    {"do": st.sampled_from(sorted(VERBS)) | _plain}, optional={key: _values for key in _KEYS if key != "do"}
)
wrong_scenarios = st.fixed_dictionaries(
    {"steps": st.lists(_step, max_size=4)},
    optional={key: _values for key in _TOP_KEYS if key != "steps"},
).map(lambda whole: "\n".join(f"{key} = {as_toml(value)}" for key, value in whole.items()))
"""TOML whose keys are mostly known, and whose values are mostly wrong."""


def as_toml(value: Any) -> str:
    """On one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        # JSON's way of writing a string is TOML's, but for what is beyond 16 bits and for DEL.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {as_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(as_toml(each) for each in value) + "]"
    return repr(value)


# ---------------------------------------------------------------------------------------------------- what is done

_cells = st.sampled_from(("cell-1", "cell-2"))
_hosts = st.sampled_from(("a-01", "a-02", "b-01", "b-02", "sa", "sb"))
_names = st.sampled_from(("web", "render", "db"))
_patterns = st.sampled_from(("web*", "render-01", "*", "nobody"))


def _acts() -> st.SearchStrategy[dict[str, Any]]:
    create = st.fixed_dictionaries(
        {
            "do": st.just("create"),
            "name": _names,
            "count": st.integers(1, 4),
            "cpu_mhz": st.sampled_from((2000, 4000, 8000)),
            "memory_bytes": st.sampled_from((2**31, 2**33)),
        },
        optional={
            "backfilling": st.just(True),
            "group": _names,
            "apart": st.booleans(),
            "cell": _cells,
            "drive_bytes": st.sampled_from((2**30, 2**37)),
            "over": st.sampled_from(("0s", "5m")),
        },
    )
    cell = st.fixed_dictionaries({"do": st.sampled_from(("cell-down", "cell-garbage", "cell-up")), "cell": _cells})
    host = st.fixed_dictionaries(
        {"do": st.sampled_from(("host-lost", "host-back", "drain", "evacuate")), "host": _hosts}
    )
    server = st.fixed_dictionaries(
        {"do": st.sampled_from(("start", "stop", "shutdown", "delete")), "servers": _patterns}
    )
    schedule = st.fixed_dictionaries(
        {"do": st.just("schedule"), "servers": _patterns, "cron": st.just("*/10 * * * *"), "target": st.just("15m")}
    )
    restore = st.fixed_dictionaries({"do": st.just("restore-group"), "group": _names})
    return create | create | cell | host | server | schedule | restore


@st.composite
def right_scenarios(draw: st.DrawFn) -> Scenario:
    """Up to a dozen steps of all kinds on the two small cells, within an hour."""
    steps = []
    acts = draw(st.lists(_acts(), min_size=1, max_size=12))
    groups = {act.get("group") for act in acts if act["do"] == "create"}
    for act in (act for act in acts if act["do"] != "restore-group" or act["group"] in groups):
        at = draw(st.integers(0, 3300))
        steps.append("\n".join(f"{key} = {as_toml(value)}" for key, value in {"at": at, **act}.items()))
    return a_scenario(*steps)
