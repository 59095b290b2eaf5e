"""The packaged traces with their figures as they are published, the label that we give, and traces of one's own."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend import trace
from backend.cloud.model import GIB, MIB, SMALLEST_SERVER, Size
from backend.trace import alibaba_openb, own_csv
from backend.trace.azure_2017 import COLUMNS
from backend.trace.workload import Arrival, TraceProblem
from tests.strategies import QUICK


def test_the_first_two_hours_are_those_that_are_published() -> None:
    found = trace.peak(trace.arrivals(2))

    assert found.arrivals == 5_689
    assert found.servers == 2_501
    assert found.vcpus == 4_245
    assert found.memory_bytes == 7_713.5 * GIB


def test_the_first_server_is_as_the_trace_has_it_in_our_units() -> None:
    first = next(trace.arrivals(1))

    assert (first.number, first.at_seconds, first.lifetime_seconds, first.tenant_batch) == (0, 0, 300, 1)
    assert first.size == Size(16_000, 14 * GIB)


def test_quarters_of_a_gibibyte_become_whole_bytes() -> None:
    sizes = {arrival.size.memory_bytes for arrival in trace.arrivals(0.5)}

    assert 0.75 * GIB in sizes
    assert all(isinstance(size, int) for size in sizes)


def test_arrivals_come_in_the_order_of_time_in_bins_of_five_minutes() -> None:
    instants = [arrival.at_seconds for arrival in trace.arrivals(3)]

    assert all(earlier <= later for earlier, later in pairwise(instants))
    assert {instant % trace.BIN_SECONDS for instant in instants} == {0}


def test_two_windows_side_by_side_are_the_window_over_both() -> None:
    whole = list(trace.arrivals(2))

    assert [*trace.arrivals(1), *trace.arrivals(1, start_hours=1)] == whole


def test_a_window_is_read_without_the_rest_of_the_trace() -> None:
    arriving = trace.arrivals()

    assert next(arriving).number == 0
    arriving.close()  # type: ignore[attr-defined]  # an iterator that is a generator


@given(batch=st.integers(0, 10**6), seed=st.integers(), share=st.floats(0, 1))
def test_a_label_depends_on_nothing_but_the_batch_the_seed_and_the_share(batch: int, seed: int, share: float) -> None:
    assert trace.is_backfilling(batch, seed=seed, share=share) == trace.is_backfilling(batch, seed=seed, share=share)


@given(batch=st.integers(0, 10**6), seed=st.integers(), shares=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_a_greater_share_only_adds_batches(batch: int, seed: int, shares: tuple[float, float]) -> None:
    less, more = sorted(shares)

    if trace.is_backfilling(batch, seed=seed, share=less):
        assert trace.is_backfilling(batch, seed=seed, share=more)


def test_a_label_is_the_same_on_every_machine() -> None:
    labelled = [batch for batch in range(20) if trace.is_backfilling(batch, seed=1, share=0.5)]

    assert labelled == [0, 1, 3, 4, 5, 7, 8, 9, 16]


def test_about_the_share_of_the_batches_is_labelled_and_all_or_none_at_the_ends() -> None:
    def labelled(share: float) -> int:
        return sum(trace.is_backfilling(batch, seed=7, share=share) for batch in range(10_000))

    assert labelled(0) == 0
    assert labelled(1) == 10_000
    assert 2_900 < labelled(0.3) < 3_100


def test_the_peak_counts_a_server_out_before_one_that_comes_in_the_same_instant() -> None:
    first = trace.Arrival(0, 0, 300, 4, Size(8_000, GIB), 1)
    second = trace.Arrival(1, 300, None, 4, Size(8_000, GIB), 1)

    assert trace.peak([first, second]) == trace.Peak(2, 1, 4, GIB)


# openb


def test_openb_has_the_pods_and_hosts_that_are_published() -> None:
    pods, hosts = list(alibaba_openb.arrivals()), alibaba_openb.hosts()

    assert len(pods) == 8_152
    assert sum(bool(pod.is_backfilling) for pod in pods) == 3_398
    assert len(hosts) == 1_523
    assert sum(size.cpu_mhz for _, size in hosts) == 125_514 * 2_000
    assert sum(size.memory_bytes for _, size in hosts) == 612_028_416 * MIB


def test_openb_is_in_our_units() -> None:
    first, second = list(alibaba_openb.arrivals(120))

    assert first == Arrival(0, 0, 12_537_496, 12, Size(24_000, 16 * GIB), 0, is_backfilling=False)
    assert (second.at_seconds, second.lifetime_seconds) == (427_061, None)


def test_what_lives_when_openb_ends_outlives_it() -> None:
    pods = list(alibaba_openb.arrivals())

    assert sum(pod.lifetime_seconds is None for pod in pods) == 34
    assert all(pod.lifetime_seconds is None or pod.lifetime_seconds >= 0 for pod in pods)


def test_a_pod_lives_from_when_it_was_scheduled_or_else_as_long_as_it_was_waited_for() -> None:
    pods = {pod.number: pod for pod in alibaba_openb.arrivals()}

    assert pods[61].lifetime_seconds == 10_001_403 - 10_001_278
    assert sum(pod.lifetime_seconds or 0 for pod in pods.values()) < sum(
        (pod.ends_at_seconds or 12_902_960) for pod in pods.values()
    )


def test_every_pod_can_be_a_server() -> None:
    pods = list(alibaba_openb.arrivals())

    assert all(SMALLEST_SERVER.fits_in(pod.size) for pod in pods)
    assert all(earlier.at_seconds <= later.at_seconds for earlier, later in pairwise(pods))
    assert max(pod.at_seconds for pod in pods) < alibaba_openb.HOURS_MAX * 3_600


# Known or one's own


def test_known_traces_are_found_by_name() -> None:
    assert [trace.find(name).name for name in trace.NAMES] == ["azure-2017", "alibaba-openb"]
    assert [(known.has_label, known.hosts is not None) for known in trace.KNOWN.values()] == [
        (False, False),
        (True, True),
    ]


HEAD = ",".join(COLUMNS) + "\n"


def own(path: Path, text: str | bytes) -> Path:
    (path / "own.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return path / "own.csv"


def test_a_file_in_the_form_of_the_first_trace_is_read(tmp_path: Path) -> None:
    found = trace.find(str(own(tmp_path, HEAD + "0,300,8,14,1\n0, ,1,0.75,2\n\n7200,0,2,4,0\n")))

    assert list(found.arrivals(3)) == [
        Arrival(0, 0, 300, 8, Size(16_000, 14 * GIB), 1),
        Arrival(1, 0, None, 1, Size(2_000, 768 * MIB), 2),
        Arrival(2, 7_200, 0, 2, Size(4_000, 4 * GIB), 0),
    ]
    assert (found.hours_max, found.hours_default, found.kind) == (3, 3, "csv")
    assert [arrival.number for arrival in found.arrivals(2)] == [0, 1]


def test_a_file_that_a_spreadsheet_wrote_is_read(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbf" + (HEAD + '0,"300",8,14,1\n').replace("\n", "\r\n").encode()

    assert len(list(own_csv.arrivals(own(tmp_path, text)))) == 1


def test_the_first_rows_of_the_first_trace_are_read_alike(tmp_path: Path) -> None:
    known = list(trace.arrivals(1))
    rows = [
        f"{each.at_seconds},{'' if each.lifetime_seconds is None else each.lifetime_seconds},{each.vcpus},"
        f"{each.size.memory_bytes / GIB},{each.tenant_batch}\n"
        for each in known
    ]

    assert list(own_csv.arrivals(own(tmp_path, HEAD + "".join(rows)))) == known


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", 'line 1 is "", expected arrival_seconds,lifetime_seconds,vcpus,memory_gib,tenant_batch.'),
        ("0,300,8,14,1\n", 'line 1 is "0,300,8,14,1", expected arrival_seconds,lifetime_seconds,vcpus'),
        (HEAD, " has no rows, expected at least one server."),
        (HEAD + "0,300,8,14\n", "line 2 has 4 columns, expected 5: arrival_seconds, lifetime_seconds, vcpus, mem"),
        (HEAD + "0,300,8,14,1\n\n0,300,8,14,1,1\n", "line 4 has 6 columns, expected 5"),
        (HEAD + "x,300,8,14,1\n", 'line 2, arrival_seconds is "x", expected an integer from 0 to 316224000.'),
        (HEAD + "-1,300,8,14,1\n", 'line 2, arrival_seconds is "-1", expected an integer from 0'),
        (HEAD + "1.5,300,8,14,1\n", 'line 2, arrival_seconds is "1.5", expected an integer from 0'),
        (HEAD + "1_0,300,8,14,1\n", 'line 2, arrival_seconds is "1_0", expected an integer from 0'),
        (HEAD + ",300,8,14,1\n", 'line 2, arrival_seconds is "", expected an integer from 0'),
        (HEAD + "999999999,300,8,14,1\n", 'line 2, arrival_seconds is "999999999", expected an integer from 0 to 316'),
        (HEAD + "9,1,8,14,1\n8,1,8,14,1\n", 'line 3, arrival_seconds is "8", expected at least 9, as in the row bef'),
        (HEAD + "0,soon,8,14,1\n", 'line 2, lifetime_seconds is "soon", expected an integer from 0 to 316224000, or'),
        (HEAD + "0,300,0,14,1\n", 'line 2, vcpus is "0", expected an integer from 1 to 10000.'),
        (HEAD + "0,300,many,14,1\n", 'line 2, vcpus is "many", expected an integer from 1 to 10000.'),
        (HEAD + "0,300,8,0.2,1\n", 'line 2, memory_gib is "0.2", expected a number from 0.25 to 1000000, such as 0.75'),
        (HEAD + "0,300,8,nan,1\n", 'line 2, memory_gib is "nan", expected a number'),
        (HEAD + "0,300,8,1e3,1\n", 'line 2, memory_gib is "1e3", expected a number'),
        (HEAD + "0,300,8,14,a\n", 'line 2, tenant_batch is "a", expected an integer from 0 to 999999999999999999.'),
        (HEAD + "0,300,8,14,\x1b[31m\n", 'line 2, tenant_batch is "\\u001b[31m", expected an integer'),
        (HEAD + '0,300,8,14,"1\n', "line 2 is not CSV: unexpected end of data."),
        ((HEAD + "0,300,8,14,\xff\n").encode("latin-1"), 'line 2, tenant_batch is "\\udcff", expected an int'),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_line_and_column(tmp_path: Path, text: str | bytes, sentence: str) -> None:
    path = own(tmp_path, text)

    with pytest.raises(TraceProblem) as raised:
        trace.find(str(path))

    assert str(raised.value).startswith(str(path))
    assert sentence in str(raised.value)
    assert str(raised.value).isprintable()


def test_what_is_no_file_is_a_sentence(tmp_path: Path) -> None:
    for name, sentence in ((tmp_path, "is a folder, expected a CSV file"), (tmp_path / "x.csv", "There is no file")):
        with pytest.raises(TraceProblem, match=sentence):
            trace.find(str(name))


@given(text=st.text() | st.text('0123456789,.\n"x').map(lambda rows: HEAD + rows))
@QUICK
def test_any_text_is_a_trace_or_a_sentence(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = own(tmp_path_factory.getbasetemp(), text.encode(errors="replace"))

    try:
        arrivals = list(own_csv.load(path).arrivals(10**6))
    except TraceProblem as problem:
        sentence = str(problem)
    else:
        assert arrivals
        return
    assert sentence.startswith(str(path))
    assert sentence.isprintable()
