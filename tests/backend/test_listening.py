"""Addresses: what is listened on, what it is called, and how it is reached."""

from __future__ import annotations

import socket

import pytest

from backend import listening
from backend.folder import FolderProblem


def test_a_free_port_is_taken_and_told() -> None:
    with listening.bind_tcp("127.0.0.1", 0) as bound:
        assert listening.url_of(bound) == f"http://127.0.0.1:{bound.getsockname()[1]}"


def test_a_wildcard_address_is_reached_by_loopback() -> None:
    with listening.bind_tcp("0.0.0.0", 0) as bound:
        assert listening.url_of(bound).startswith("http://127.0.0.1:")


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python knows no IPv6")
def test_an_address_of_six_is_written_in_brackets() -> None:
    try:
        bound = listening.bind_tcp("::1", 0)
    except FolderProblem:
        pytest.skip("this machine has no IPv6")
    with bound:
        assert listening.url_of(bound).startswith("http://[::1]:")


def test_a_host_is_called_what_it_was_given_as() -> None:
    assert listening.names_of("cloud.example.org") == {"cloud.example.org"}
    assert listening.names_of("fd00::1") == {"[fd00::1]"}


def test_a_wildcard_address_is_called_by_the_names_of_the_machine() -> None:
    assert socket.gethostname() in listening.names_of("0.0.0.0")


def test_a_port_that_somebody_listens_on_is_refused_with_a_sentence() -> None:
    with listening.bind_tcp("127.0.0.1", 0) as taken, pytest.raises(FolderProblem, match="address already in use"):
        listening.bind_tcp("127.0.0.1", taken.getsockname()[1])
