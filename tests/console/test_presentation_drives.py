"""What is said of drives: the list, the page of one, and what a dialog offers to choose from."""

from __future__ import annotations

import pytest

from console.presentation import drive_detail, drives, picking
from console.presentation.lines import View, text_of
from console.presentation.mirror import Mirror
from console.records import Changes, DriveDetail, DrivesPage, Hello
from tests.console.drawn import a_silent_cloud, body, plate, the_row
from tests.console.examples import NOW, POLLED, a_drive, a_frame, a_server, the_cloud, the_drives


def shown(view: View, key: str) -> str:
    return text_of(the_row(view, key)).rstrip()


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("drive:id-web-31-boot", "  ● mounted   web-31-boot    web-31       cell-2 c2-s02  disk      20     3h00m"),
        ("drive:id-web-31-data", "  … is copied web-31-data    web-31       cell-2 c2-s02  disk     120     3h00m"),
        ("drive:id-web-31-copy", "  … a clone   web-31-copy    ·            cell-1 c1-s01  disk     120     3h00m"),
        ("drive:id-web-05-boot", "  ✗ lost      web-05-boot    web-05       cell-2 c2-s02  disk      20     3h00m"),
        ("drive:id-spare", "  ○ unmounted spare          ·            cell-2 c2-s02  disk      20     3h00m"),
        ("drive:id-auth-boot", "  ? UNKNOWN   auth-boot      auth-01      cell-3 c3-s01  disk     ~20      ~12m"),
        ("drive:id-never-seen", "  ? UNKNOWN   never-seen     ·            cell-5 —       —          —         —"),
    ],
)
def test_a_drive_is_a_line_of_facts(key: str, text: str) -> None:
    assert shown(drives.view(the_cloud(), a_frame()), key) == text


def test_what_nobody_knows_now_is_dimmed_from_end_to_end() -> None:
    assert set(plate(the_row(drives.view(the_cloud(), a_frame()), "drive:id-auth-boot"))) <= {".", "u"}


def test_the_worst_drives_come_first() -> None:
    view = drives.view(the_cloud(), a_frame())

    names = [text_of(view.regions[0].line(place))[14:28].strip() for place in range(7)]

    assert names == ["web-05-boot", "auth-boot", "never-seen", "web-31-copy", "web-31-data", "web-31-boot", "spare"]


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("web-31", ["web-31-copy", "web-31-data", "web-31-boot"]),
        ("auth-01", ["auth-boot"]),
        ("cell-3", ["auth-boot"]),
        ("mounted !web", []),
        ("cloning", ["web-31-copy", "web-31-data"]),
        ("c1-s01", ["web-31-copy"]),
        ("!web !auth !never", ["spare"]),
    ],
)
def test_the_filter_finds_names_servers_hosts_cells_and_states(wanted: str, names: list[str]) -> None:
    rows, _ = drives.visible(the_cloud(), a_frame(filter=wanted))

    assert [row.name for row in rows] == names


def test_a_cell_narrows_the_list() -> None:
    view = drives.view(the_cloud(), a_frame(scope="cell-3"))

    assert view.crumbs == ("cells", "cell-3", "drives")
    assert len(view.regions[0]) == 1


@pytest.mark.parametrize(
    ("sort", "first", "last"),
    [("server", "auth-boot", "web-31-copy"), ("size", "spare", "never-seen"), ("name", "auth-boot", "web-31-data")],
)
def test_drives_are_sorted_also_by_the_names_of_their_servers(sort: str, first: str, last: str) -> None:
    rows, _ = drives.visible(the_cloud(), a_frame(sort=sort))

    assert (rows[0].name, rows[-1].name) == (first, last)


def test_a_list_that_is_still_read_shows_dots_and_how_far_it_is() -> None:
    mirror = the_cloud().drives_begun().apply(DrivesPage((), "page-2", 1_234), POLLED)
    empty = Mirror().apply(Hello("c", "demo", "1"), POLLED)

    assert "reading 7 of 1,234" in drives.view(mirror, a_frame()).note
    assert {line.strip() for line in body(drives.view(empty, a_frame()))[1:]} == {"…"}


def test_an_empty_list_says_which_key_changes_it() -> None:
    assert "no drives match /nothing   esc clears" in "\n".join(
        body(drives.view(the_cloud(), a_frame(filter="nothing")))
    )


def test_while_the_cloud_is_silent_no_figure_looks_current() -> None:
    view = drives.view(a_silent_cloud(), a_frame())

    assert shown(view, "drive:id-spare").endswith("~20    ~6m23s")
    assert shown(view, "drive:id-spare").startswith(" ~○ unmounted")


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("drive:id-web-31-boot", "web-31-boot: on c2-s02, mounted on web-31 as virtio 0:0"),
        ("drive:id-web-05-boot", "web-05-boot: lost 3h00m ago with c2-s02, was mounted; web-05 cannot use it"),
        ("drive:id-auth-boot", "auth-boot: cell-3 does not answer; last known mounted on c3-s01 at 13:51:02"),
        ("drive:id-never-seen", "never-seen: cell-5 does not answer, and nothing was ever known of it here"),
    ],
)
def test_the_status_row_says_what_there_is_to_say(key: str, sentence: str) -> None:
    assert text_of(drives.status(the_cloud(), a_frame(), key)) == sentence


def test_the_page_of_a_drive_leads_to_its_server_its_host_and_its_cell() -> None:
    view = drive_detail.view(the_cloud(), "drive:id-web-31-boot", a_frame())

    region = view.regions[0]
    assert {"id-web-31", "host:c2-s02", "cell:cell-2"} <= {region.key(place) for place in range(len(region))}
    assert any("web-31   ● run   virtio 0:0   boot order 1" in line for line in body(view))


def test_a_drive_that_only_the_cloud_itself_told_of_is_described_before_the_list_is_there() -> None:
    drive = a_drive("boot")
    view = drive_detail.view(Mirror(), "drive:id-boot", a_frame(), DriveDetail(drive))

    assert view.crumbs == ("drives", "boot")


def test_a_drive_that_is_gone_says_so() -> None:
    assert "is not known any more" in "\n".join(body(drive_detail.view(the_cloud(), "drive:id-gone", a_frame())))


# What a dialog offers ------------------------------------------------------------------------------------------------


def test_a_drive_is_offered_stopped_servers_of_its_own_cell_first() -> None:
    mirror = the_cloud()
    stopped = (
        a_server("a-far", "cell-1", None, state="stopped"),
        a_server("near", "cell-2", None, state="stopped"),
    )
    mirror = mirror.apply(Changes("c2", stopped), NOW)

    found = picking.stopped_servers(mirror, "cell-2", "")

    assert [option.name for option in found] == ["crawl-22", "near", "train-09", "a-far"]


def test_a_clone_is_offered_itself_its_server_and_that_one_s_other_drives_first() -> None:
    drive = next(row for row in the_drives() if row.name == "web-31-boot")

    found = picking.to_avoid(the_cloud(), drive, "")

    assert [(option.name, option.key) for option in found] == [
        ("web-31-boot", "id-web-31-boot"),
        ("web-31", "id-web-31"),
        ("web-31-data", "id-web-31-data"),
    ]


def test_typing_finds_any_server_or_drive_and_none_twice() -> None:
    drive = next(row for row in the_drives() if row.name == "web-31-boot")

    found = picking.to_avoid(the_cloud(), drive, "WEB-")

    keys = [option.key for option in found]
    assert len(keys) == len(set(keys))
    assert {"id-web-05", "id-web-05-boot", "id-web-31-copy"} <= set(keys)


def test_a_long_list_of_options_keeps_the_highlighted_one_in_sight() -> None:
    options = [picking.Option(f"k{n}", f"name-{n:02}", "") for n in range(40)]

    lines = picking.lines("to", "", options, (), a_frame(60), highlighted=30, rows=5)

    assert any("▌" in text_of(line) and "name-30" in text_of(line) for line in lines)
    assert len(lines) == 6
