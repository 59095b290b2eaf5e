"""Groups by their drives and by cells: collisions, and what is tolerated, against trying every set of losses."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from console.presentation import groups
from console.presentation.group_drives import DRIVES, of_cells, of_drives, standing
from console.presentation.lines import text_of
from console.presentation.mirror import Mirror
from console.records import DrivesPage, FixRecord
from tests.console.drawn import body
from tests.console.examples import POLLED, a_drive, a_frame, the_cloud
from tests.strategies import QUICK

places = st.dictionaries(
    st.sampled_from([f"m{n}" for n in range(6)]), st.frozensets(st.sampled_from("abcde"), max_size=3), max_size=6
)


@QUICK
@given(places, st.integers(1, 4))
def test_what_is_tolerated_is_what_every_set_of_losses_leaves(on: dict[str, frozenset[str]], needs: int) -> None:
    found = standing(on, needs)
    there = sorted(set().union(*on.values())) if on else []

    def survives(lost: int) -> bool:
        return all(sum(not member & set(gone) for member in on.values()) >= needs for gone in combinations(there, lost))

    tolerated = max((lost for lost in range(len(there) + 1) if survives(lost)), default=0)
    if there and len(on) >= needs:
        assert (found.tolerates, found.is_bound) == (tolerated, False)
    assert found.collisions == sum(sum(place in each for each in on.values()) - 1 for place in there)


def test_where_trying_all_would_take_too_long_a_lower_bound_is_said_to_be_one() -> None:
    on = {f"m{n}": {f"h{n}", f"h{(n + 1) % 40}"} for n in range(40)}

    found = standing(on, needs=20)

    assert found.is_bound
    assert 1 <= found.tolerates <= 10


def with_drives(*drives: tuple[str, str, str]) -> Mirror:
    """The cloud in which members of web have these drives: server, cell, storage host."""
    rows = tuple(
        a_drive(f"d{n}", cell, host, state="mounted", server_id=f"id-{server}")
        for n, (server, cell, host) in enumerate(drives)
    )
    return replace(the_cloud(), drives=Mirror().drives).drives_begun().apply(DrivesPage(rows, None, len(rows)), POLLED)


def test_two_members_with_drives_on_one_storage_host_collide_there() -> None:
    mirror = with_drives(
        ("web-01", "cell-1", "c1-s01"), ("web-02", "cell-1", "c1-s01"), ("web-02", "cell-1", "c1-s02"),
        ("web-03", "cell-2", "c2-s01"),
    )  # fmt: skip
    [web] = [group for group in of_drives(mirror) if group.name == "web"]
    assert (web.hosts, web.collisions) == (3, 1)

    drawn = [line.rstrip() for line in body(groups.view(mirror, a_frame(scope="web", modes=frozenset({DRIVES}))))]
    assert drawn[0].startswith(" web  8 members  3 storage hosts  needs 4   ■ 1 collision   tolerates ")
    assert drawn[3] == "  c1-s01  cell-1  ● up    2!  web-01 web-02                   6    █···········"
    assert drawn[4] == "  c1-s02  cell-1  ● up    1   web-02                          7    ██··········"


def test_the_map_of_drives_has_the_storage_hosts_for_columns() -> None:
    mirror = with_drives(("web-01", "cell-1", "c1-s01"), ("web-02", "cell-1", "c1-s01"))
    drawn = body(groups.view(mirror, a_frame(160, 45, modes=frozenset({DRIVES}))))
    [web] = [line for line in drawn if line.startswith(" web ")]

    assert web[12:14] == "2·"
    assert groups.view(mirror, a_frame(160, 45, modes=frozenset({DRIVES}))).note.startswith("drives   ")


def test_folded_a_group_is_of_cells_with_what_the_silence_of_each_would_leave() -> None:
    drawn = [line.rstrip() for line in body(groups.view(the_cloud(), a_frame(scope="web", is_folded=True)))]

    assert drawn[0] == " web  8 members  4 cells  needs 4   ■ 4 collisions   tolerates 1 lost cell"
    assert drawn[3] == "  cell-2  cell-2  ● up    3!  web-03 web-05 web-31            5"
    [web] = [group for group in of_cells(the_cloud().groups or (), the_cloud()) if group.name == "web"]
    assert web.worst_case == ("cell-2", "cell-1")


def test_a_colliding_member_has_a_row_where_it_can_be_moved_apart() -> None:
    view = groups.view(the_cloud(), a_frame(scope="web"))
    [member] = [m for group in the_cloud().groups or () for m in group.members if m.name == "web-31"]
    found = view.find(member.id)

    assert found is not None
    assert text_of(view.regions[found[0]].line(found[1])).rstrip() == "  web-31            c2-h07    with web-05"
    assert "x C clones it away" in text_of(view.regions[found[0]].head or ())


def test_until_the_drives_are_read_nothing_is_said_of_what_is_tolerated() -> None:
    mirror = replace(the_cloud(), are_drives_complete=False)

    assert {group.tolerates for group in of_drives(mirror)} == {None}


def test_folded_the_list_is_of_cells_as_one_group_is() -> None:
    mirror = the_cloud()
    known = {group.name: group for group in of_cells(mirror.groups or (), mirror)}

    for width in (80, 120, 200):
        view = groups.view(mirror, a_frame(width, 45, is_folded=True))
        assert view.table is not None
        for group in view.table.rows:
            alone = known[group.name]
            assert (group.hosts, group.collisions, group.tolerates) == (
                alone.hosts,
                alone.collisions,
                alone.tolerates,
            )
        head = next(line for line in body(view) if "GROUP" in line)
        assert "CELLS" in head
        assert "HOSTS" not in head


def test_a_server_with_drives_on_two_storage_hosts_of_a_cell_is_in_that_cell_once() -> None:
    mirror = with_drives(("web-01", "cell-1", "c1-s01"), ("web-01", "cell-1", "c1-s02"), ("web-02", "cell-2", "c2-s01"))

    for folded in (False, True):
        drawn = body(groups.view(mirror, a_frame(120, 45, modes=frozenset({DRIVES}), is_folded=folded)))
        [web] = [line.split() for line in drawn if line.startswith(" web ")]
        assert "!" not in " ".join(web)
    [web_in_cells] = [group for group in of_cells(of_drives(mirror), mirror) if group.name == "web"]
    assert web_in_cells.collisions == 0


def test_where_something_restores_a_group_its_page_begins_on_the_group() -> None:
    fixed = FixRecord(moves=1)
    mirror = the_cloud()
    mirror = replace(mirror, groups=tuple(g._replace(fix=fixed) for g in mirror.groups or ()))
    view = groups.view(mirror, a_frame(scope="web"))

    assert view.regions[0].key(0) == "group:web"
    assert groups.view(the_cloud(), a_frame(scope="web")).regions[0].key(0) is None
