"""Whole answers of CloudSigma's API, byte by byte."""

from __future__ import annotations

import json

from tests.dialects import golden_sigma
from tests.dialects.conftest import Tell


def test_it_answers_as_is_written_down(tell: Tell) -> None:
    found = tell(golden_sigma.answers, cells=("cell-1",))
    written = json.loads(golden_sigma.FILE.read_text())

    for now, then in zip(found, written, strict=True):
        assert now == then, f"{then['asked']}: run `python -m tests.dialects.golden_sigma` and look at the difference"


def test_what_is_refused_is_told_in_an_array_with_all_three_keys() -> None:
    refusals = [each for each in json.loads(golden_sigma.FILE.read_text()) if each["status"] >= 400]

    assert {each["status"] for each in refusals} == {400, 403, 404, 405, 406}
    for each in refusals:
        [error] = each["answer"]
        assert set(error) == {"error_type", "error_message", "error_point"}
