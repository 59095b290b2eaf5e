"""The packaged trace, its figures as they are published, and the label that we give it."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from backend import trace
from backend.cloud.model import GIB, Size


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
