"""What a list says of the rows of silent cells that it shows, and of those that its filter may wrongly hide."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.presentation import drives, header, overview, sentences, servers, silence
from console.presentation.lines import UNICODE, text_of
from console.presentation.mirror import Mirror
from console.presentation.silence import SERVER_STATES, Silence
from console.records import CellRecord, Hosts, ServerRecord, ServersPage, Status
from console.records_offer import Offer
from tests.console.drawn import a_silent_cloud, body
from tests.console.examples import NOW, a_frame, a_host, a_server, an_unknown, the_cloud


def told(filter: str = "", width: int = 80, **choices: Any) -> str:
    frame = a_frame(width, filter=filter, **choices)
    return "\n".join(text_of(line).strip() for line in servers.view(the_cloud(), frame).below)


@pytest.mark.parametrize(
    ("filter", "shown"),
    [
        # Four servers of silent cells: auth-01 and render-121 were in cell-3, mq-03 and a nameless one in cell-5.
        ("", "▲ cell-3 and cell-5 do not answer: 4 servers as last known, 386 not read yet"),
        ("auth", "▲ cell-3 and cell-5: 1 last known, 1 may match, 386 unread"),
        ("run", "▲ cell-3 and cell-5 do not answer: 4 may match /run; 386 not read yet"),
        ("auth run", "▲ cell-3 and cell-5 do not answer: 2 may match /auth run; 386 not read yet"),
        ("run stop", "▲ cell-3 and cell-5 do not answer: 1 may match /run stop; 386 not read yet"),
        ("c3-h09", "▲ cell-3 and cell-5 do not answer: 3 may match /c3-h09; 386 not read yet"),
        ("!c3-h02", "▲ cell-3 and cell-5: 3 last known, 1 may match, 386 unread"),
        ("!unknown", "▲ cell-3 and cell-5 do not answer: 386 not read yet"),
    ],
)
def test_a_list_says_what_its_filter_hides_because_a_cell_is_silent(filter: str, shown: str) -> None:
    assert told(filter) == shown


def a_nova(number: int, filter: str, *, seen: int = 0) -> tuple[Mirror, Silence]:
    """A cloud of which the first `seen` servers were seen before they fell silent."""
    rows = [replace(an_unknown(f"app-{n}", "unseen", None, id=f"id-{n}"), name=f"app-{n}" if n < seen else None)
            for n in range(number)]  # fmt: skip
    cells = (CellRecord("unseen", "down", servers=number, unknown=number),)
    mirror = replace(Mirror().apply(Status(None, cells), NOW), offer=Offer())
    mirror = mirror.apply(ServersPage(tuple(rows), None, "cursor", number), NOW)
    frame = a_frame(filter=filter)
    told = silence.of_servers(mirror, frame, servers.visible(mirror, frame)[0], servers.columns(mirror, frame))
    assert told is not None
    return mirror, told


@pytest.mark.parametrize(
    ("filter", "may_match"),
    [("app-001", 5), ("name=app-001", 5), ("state=running", 5), ("!app-001", 0), ("id=id-1", 0), ("unknown", 0)],
)
def test_a_server_whose_name_was_never_told_may_be_the_one_that_is_looked_for(filter: str, may_match: int) -> None:
    assert a_nova(5, filter)[1].may_match == may_match


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (0, "UNKNOWN in unseen: 5 servers never seen from here"),
        (2, "UNKNOWN in unseen: 2 servers are shown as last known; 3 never seen from here"),
        (5, "UNKNOWN in unseen: 5 servers are shown as last known"),
    ],
)
def test_what_was_never_known_is_not_called_last_known(seen: int, words: str) -> None:
    (line,) = silence.banner(a_nova(5, "", seen=seen)[1], "server", a_frame(), 120)

    assert text_of(line).strip() == f"▲ {words}"


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (40, "▲ cell-2: 25 last known, 3 may match"),
        (60, "▲ cell-2: 25 last known, 3 may match"),
        (80, "▲ cell-2 does not answer: 25 servers as last known, 3 more may match"),
        (160, "▲ cell-2 does not answer: 25 of its servers are shown as last known; 3 more may match /running"),
        (20, "▲ 1 silent: 25~ 3?"),
    ],
)
def test_the_banner_says_it_in_as_many_words_as_fit(width: int, shown: str) -> None:
    frame = a_frame(width, filter="running")

    (line,) = silence.banner(Silence(("cell-2",), 25, 3), "server", frame, width)

    assert text_of(line).strip() == shown
    assert shown.startswith(UNICODE.attention), "never by colour alone"


def test_a_list_of_a_cell_that_answers_has_no_banner_and_a_silent_cloud_says_so_elsewhere() -> None:
    assert told(scope="cell-1") == ""
    assert told("run", scope="cell-3") == "▲ cell-3 does not answer: 2 may match /run; 188 not read yet"
    assert servers.view(a_silent_cloud(), a_frame()).below == ()
    assert servers.view(Mirror(), a_frame()).below == ()


def test_drives_of_silent_cells_are_told_too() -> None:
    def shown(filter: str) -> str:
        return "".join(text_of(line).strip() for line in drives.view(the_cloud(), a_frame(filter=filter)).below)

    assert shown("") == "▲ cell-3 and cell-5 do not answer: 2 of their drives are shown as last known"
    assert shown("mounted") == "▲ cell-3 and cell-5 do not answer: 2 may match /mounted"
    assert shown("auth-01") == "▲ cell-3 and cell-5 do not answer: 1 of their drives is shown as last known"


# Against trying every state and host ----------------------------------------------------------------------------------

HOSTS = {"cell-1": ("c1-h1", "c1-h2"), "cell-2": ("c2-h1", "c2-h2")}
WORDS = ("web", "db", "run", "stop", "s", "c2-h1", "h2", "c1", "cell-2", "unk", "web-1", "auth")
words = st.lists(st.tuples(st.booleans(), st.sampled_from(WORDS)), min_size=1, max_size=3)
rows = st.lists(
    st.tuples(st.sampled_from(("web", "db", "run")), st.sampled_from(sorted(HOSTS)), st.integers(0, 2)),
    min_size=1,
    max_size=6,
)


def a_cloud(found: list[ServerRecord], *, is_silent: bool) -> Mirror:
    cells = (CellRecord("cell-1", "up"), CellRecord("cell-2", "down" if is_silent else "up"))
    hosts = tuple(a_host(name, cell) for cell, names in HOSTS.items() for name in names)
    mirror = Mirror().apply(Status(None, cells), NOW).apply(Hosts(hosts), NOW)
    return mirror.apply(ServersPage(tuple(found), None, "cursor", len(found)), NOW)


def holds(row: ServerRecord, filter: str) -> bool:
    return bool(servers.visible(a_cloud([row], is_silent=False), a_frame(filter=filter))[0])


@settings(max_examples=60, deadline=None)
@given(words, rows)
def test_what_may_match_is_what_matches_for_some_state_and_host(
    words: list[tuple[bool, str]], rows: list[tuple[str, str, int]]
) -> None:
    filter = " ".join(f"{'!' if is_inverted else ''}{text}" for is_inverted, text in words)
    found = []
    for number, (stem, cell, place) in enumerate(rows):
        host = (*HOSTS[cell], None)[place]
        make = an_unknown if cell == "cell-2" else a_server
        found.append(make(f"{stem}-{number}", cell, host, id=f"id-{number}"))
    mirror, frame = a_cloud(found, is_silent=True), a_frame(filter=filter)
    shown, _ = servers.visible(mirror, frame)

    told = silence.of_servers(mirror, frame, shown, servers.columns(mirror, frame))

    asks_for_no_unknown = any(is_inverted and "unknown".startswith(text) for is_inverted, text in words)
    rest = " ".join(word for word in filter.split() if not "unknown".startswith(word))
    hidden = 0
    for row in found:
        if row.cell == "cell-2" and row not in shown and not asks_for_no_unknown:
            guesses = (
                replace(row, state=state, host=host, is_reachable=True)
                for state in SERVER_STATES
                for host in (*HOSTS["cell-2"], None)
            )
            hidden += not rest or any(holds(guess, rest) for guess in guesses)
    assert told is not None
    assert (told.shown, told.may_match) == (sum(row.cell == "cell-2" for row in shown), hidden)


def test_of_a_cloud_that_never_answered_nothing_is_said_to_be_so() -> None:
    mirror = Mirror().failed("connection refused", NOW)

    assert sentences.offline_sentence(mirror, a_frame()).endswith("; nothing is known of it yet")
    assert header.worst_fact(mirror, a_frame()).words == "no answer yet"
    for width, height in ((80, 24), (200, 60)):
        drawn = "\n".join(body(overview.view(mirror, a_frame(width, height))))
        assert "nothing has happened yet" not in drawn
        assert ("not known: the cloud has not answered" in drawn) == ("EVENTS" in drawn)
