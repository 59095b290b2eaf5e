"""What the table says of real clients is what they do: every proof is run, and the table made of them is the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dialects import coverage, proofs


@pytest.mark.filterwarnings("ignore")
def test_both_clients_do_what_the_table_says(tmp_path: Path) -> None:
    found = coverage.proved(tmp_path / "data")

    assert proofs.undocumented() == []
    assert found == coverage.TABLE.read_text(), "run `python -m tests.dialects.coverage`"


def test_an_operation_with_neither_a_proof_nor_a_reason_is_no_row() -> None:
    proofs.gather()
    proved = [proof for proof in proofs.PROOFS if "GET /jobs/" not in proof.operations]

    with pytest.raises(AssertionError, match="GET /jobs/ with cloudsigma: a proof, or a reason"):
        proofs.table_of(proved)
