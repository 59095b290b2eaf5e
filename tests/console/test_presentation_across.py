"""Several clouds in one table, and the rows of the dialog that chooses one, as pure functions of their mirrors."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.names import ALL_CLOUDS
from console.presentation import across, exports, filtering, many
from console.presentation.across import Gathered
from console.presentation.columns import Table
from console.presentation.fleet import Fleet
from console.presentation.lines import ASCII, Frame, Tone, text_of
from console.presentation.many import Cloud
from console.presentation.mirror import Mirror
from console.records import CellRecord, ServerRecord
from console.records_offer import Offer, Pace
from tests.console.fakes import NOON, a_server

LATER = NOON + timedelta(seconds=200)


def a_mirror(*servers: ServerRecord, **changes: Any) -> Mirror:
    """A cloud that answered at noon."""
    cells = tuple(CellRecord(name, "up") for name in sorted({each.cell for each in servers}))
    known = Mirror(cells=cells, is_complete=True, answered_at={"status": NOON, "servers": NOON})
    return replace(known, fleet=Fleet({each.id: each for each in servers}), **changes)


def silent(mirror: Mirror) -> Mirror:
    return mirror.failed("connection refused", LATER)


def a_cloud(name: str, mirror: Mirror | None = None, **changes: Any) -> Cloud:
    return Cloud(name, "stratodeck", f"http://{name}.example", mirror=mirror, **changes)


def a_frame(width: int = 120, **changes: Any) -> Frame:
    return Frame(width=width, height=30, now=NOON, wall_now=LATER, scope=ALL_CLOUDS, **changes)


TWO = [
    a_cloud("lab", a_mirror(a_server(1, cpu_mhz=2_000), a_server(2, state="stopped"))),
    a_cloud("prod", a_mirror(a_server(1, name="api", sort_name="", cpu_mhz=8_000))),
]


def test_rows_of_two_clouds_with_the_same_ids_are_two_rows() -> None:
    gathered = Gathered("servers").gathered(TWO)

    assert sorted(gathered.rows.by_id) == [
        f"lab|{a_server(1).id}", f"lab|{a_server(2).id}", f"prod|{a_server(1).id}",
    ]  # fmt: skip
    assert across.split(f"prod|{a_server(1).id}") == ("prod", a_server(1).id)


@pytest.mark.parametrize(
    ("filter_text", "names"),
    [
        ("", ["api", "web-01", "web-02"]),
        ("cloud:lab", ["web-01", "web-02"]),
        ("!prod", ["web-01", "web-02"]),
        ("cpu>4000", ["api"]),
        ("state:stop", ["web-02"]),
        ("seen>3m", ["api", "web-01", "web-02"]),
        ("seen<3m", []),
    ],
)
def test_the_one_grammar_filters_all_of_them(filter_text: str, names: list[str]) -> None:
    table, total = across.table(Gathered("servers").gathered(TWO), TWO, a_frame(filter=filter_text))

    assert [row.record.name for row in table.rows] == names
    assert total == 3
    assert filtering.parse(filter_text, table.columns).problem == ""


@pytest.mark.parametrize(
    ("sort", "is_descending", "clouds"),
    [
        ("cloud", False, ["lab", "lab", "prod"]),
        ("cloud", True, ["prod", "lab", "lab"]),
        ("cpu", True, ["prod", "lab", "lab"]),
    ],
)
def test_any_column_sorts_all_of_them(sort: str, is_descending: bool, clouds: list[str]) -> None:
    frame = a_frame(sort=sort, is_descending=is_descending)
    table, _ = across.table(Gathered("servers").gathered(TWO), TWO, frame)

    assert [row.cloud for row in table.rows] == clouds


def test_a_silent_cloud_keeps_its_rows_dimmed_with_their_age_and_the_other_is_as_ever() -> None:
    clouds = [replace_mirror(TWO[0], silent), TWO[1]]
    view = across.view(Gathered("servers").gathered(clouds), clouds, a_frame())
    region = view.regions[0]
    lines = {text_of(region.line(n)).split()[0]: region.line(n) for n in range(len(region))}

    assert {span.tone for span in lines["lab"][2:] if span.text.strip()} == {Tone.UNKNOWN}
    assert Tone.TEXT in {span.tone for span in lines["prod"]}
    assert "~" in text_of(lines["lab"])
    below = [text_of(line).rstrip() for line in view.below]
    assert "silent since 12:00:00" in below[1]
    assert below[1].endswith("age 3m20s")
    assert "connected" in below[2]


def test_a_cloud_that_was_not_opened_is_named_and_has_no_rows() -> None:
    clouds = [TWO[1], a_cloud("far"), a_cloud("bad", problem="nobody knows how")]
    view = across.view(Gathered("servers").gathered(clouds), clouds, a_frame())

    below = [text_of(line) for line in view.below]
    assert "not opened" in below[2]
    assert "nobody knows how" in below[3]
    assert view.note.endswith("1")


def test_where_there_are_more_clouds_than_room_the_calm_ones_are_counted() -> None:
    clouds = [a_cloud(f"c{n}", a_mirror(a_server(n))) for n in range(1, 20)]
    clouds[15] = replace_mirror(clouds[15], silent)
    view = across.view(Gathered("servers").gathered(clouds), clouds, a_frame())

    below = [text_of(line).strip() for line in view.below]
    assert len(below) <= 9
    assert below[1].startswith("c16")
    assert below[-1].startswith("and 13 more")


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_every_line_is_as_wide_as_the_terminal(width: int) -> None:
    clouds = [TWO[0], replace_mirror(TWO[1], silent), a_cloud("a-very-long-name-of-a-cloud")]
    frame = a_frame(width, glyphs=ASCII)
    view = across.view(Gathered("servers").gathered(clouds), clouds, frame)
    region = view.regions[0]
    lines = [*(region.line(n) for n in range(len(region))), *view.below]
    lines += many.rows(clouds, "", frame, highlighted=0)

    assert {len(text_of(line)) for line in lines} == {width}
    assert all(text_of(line).isascii() and text_of(line)[-1] == " " for line in lines)


@pytest.mark.parametrize(("width", "words"), [(80, ""), (100, "▲ 1 silent: 1~"), (120, "▲ cell-2: 1 last known"),
    (200, "▲ cell-2 does not answer: 1 of its servers is shown as last known")])  # fmt: skip
def test_what_a_silent_cell_hides_is_said_of_its_cloud_where_there_is_room(width: int, words: str) -> None:
    unknown = a_server(2, cell="cell-2", state="unknown", is_reachable=False, known_at=NOON)
    mirror = a_mirror(a_server(1), unknown)
    cells = (CellRecord("cell-1", "up"), CellRecord("cell-2", "down"))
    clouds = [a_cloud("lab", replace(mirror, cells=cells)), TWO[1]]
    view = across.view(Gathered("servers").gathered(clouds), clouds, a_frame(width))

    lab = text_of(view.below[1])
    assert (words in lab and "▲" in lab) if words else "▲" not in lab
    assert "▲" not in text_of(view.below[2])


def test_what_was_never_seen_says_so_and_what_a_filter_hides_of_it_is_said_at_any_width() -> None:
    unknown = a_server(2, name=None, sort_name="", cell="unseen", state="unknown", is_reachable=False)
    cells = (CellRecord("cell-1", "up"), CellRecord("unseen", "down", unknown=1))
    clouds = [a_cloud("prod", replace(a_mirror(a_server(1), unknown), cells=cells, offer=Offer()))]
    gathered = Gathered("servers").gathered(clouds)

    region = across.view(gathered, clouds, a_frame()).regions[0]
    (line,) = [text for n in range(len(region)) if "UNKNOWN" in (text := text_of(region.line(n)))]
    assert "never" in line
    for width in (80, 120):
        below = across.view(gathered, clouds, a_frame(width, filter="app-001")).below
        assert "1 may match" in text_of(below[1])


def test_a_cloud_that_is_looked_at_now_and_then_and_does_not_answer_is_not_called_connected() -> None:
    pace = Pace(7, 30, 10.0)
    mirror = replace(a_mirror(a_server(1)), pace=pace)

    def words(mirror: Mirror, seconds: int) -> str:
        frame = a_frame()._replace(wall_now=NOON + timedelta(seconds=seconds))
        return many.state(a_cloud("prod", mirror), frame).words

    assert words(mirror, 20) == "connected"
    assert words(mirror, 76) == "no answer since 12:00:00"
    assert words(replace(mirror, pace=pace._replace(unanswered_seconds=25.0)), 20) == "no answer since 12:00:00"


def test_an_export_has_the_cloud_of_each_row() -> None:
    table, _ = across.table(Gathered("servers").gathered(TWO), TWO, a_frame())

    assert [line.split(",")[0] for line in exports.as_csv(table).splitlines()] == ["cloud", "prod", "lab", "lab"]


def replace_mirror(cloud: Cloud, change: Any) -> Cloud:
    return cloud._replace(mirror=change(cloud.mirror))


STATES = st.sampled_from(["running", "stopped"])
STEPS = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 5), st.none() | STATES, st.booleans()), max_size=8
)


@given(STEPS, st.sampled_from(["", "cloud:a", "state:stop", "web-03"]), st.sampled_from(["state", "name", "cloud"]))
def test_what_is_gathered_step_by_step_is_what_is_gathered_at_once(
    steps: list[tuple[str, int, str | None, bool]], filter_text: str, sort: str
) -> None:
    mirrors = {"a": a_mirror(*map(a_server, range(4))), "b": a_mirror(*map(a_server, range(3)))}
    frame = a_frame(filter=filter_text, sort=sort)
    gathered = Gathered("servers")
    for name, number, state, is_there in steps:
        fleet = mirrors[name].fleet
        row = a_server(number) if state is None else a_server(number, state=state)
        mirrors[name] = replace(mirrors[name], fleet=fleet.changed([row]) if is_there else fleet.changed([], [row.id]))
        clouds = [a_cloud(each, mirror) for each, mirror in mirrors.items()]
        gathered = gathered.gathered(clouds)
        anew, _ = across.table(Gathered("servers").gathered(clouds), clouds, frame)
        kept, _ = across.table(gathered, clouds, frame)

        assert keys(kept) == keys(anew)
        query = filtering.parse(filter_text, anew.columns)
        expected = [row for row in gathered.rows.by_id.values() if filtering.holds(query, anew.columns, row)]
        assert sorted(keys(anew)) == sorted(row.id for row in expected)


def keys(table: Table[Any]) -> list[str]:
    return [table.key_of(row) for row in table.rows]


# ---------------------------------------------------------------------------------------------------------- choosing


@pytest.mark.parametrize(
    ("cloud", "words", "age"),
    [
        (a_cloud("a"), "not tried", "—"),
        (a_cloud("a", problem="nobody knows how"), "nobody knows how", "—"),
        (a_cloud("a", Mirror()), "connecting", "—"),
        (a_cloud("a", silent(Mirror())), "connection refused", "—"),
        (a_cloud("a", a_mirror(a_server(1))), "connected", "3m20s"),
        (a_cloud("a", silent(a_mirror(a_server(1)))), "silent since 12:00:00", "3m20s"),
    ],
)
def test_a_row_says_how_a_cloud_is_and_how_old_what_is_known_of_it(cloud: Cloud, words: str, age: str) -> None:
    frame = a_frame()

    assert many.state(cloud, frame).words == words
    assert many.age(cloud, frame)[0] == age
    line = text_of(many.rows([cloud], "", frame, highlighted=0)[0])
    assert words in line
    assert age in line
