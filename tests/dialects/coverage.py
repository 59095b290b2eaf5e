"""`python -m tests.dialects.coverage`: run every proof, and write the table of what they have proved."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.dialects import proofs

TABLE = Path(__file__).with_name("coverage_cloudsigma.md")


def proved(folder: Path) -> str:
    """The table, made by running all proofs. Raises what the first of them that fails raises."""
    proofs.gather()
    with proofs.clients(folder) as on:
        for proof in proofs.PROOFS:
            try:
                proofs.run(proof, on)
            except Exception as problem:
                problem.add_note(f"in the proof of {proof}")
                raise
    return proofs.table_of(proofs.PROOFS)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        TABLE.write_text(proved(Path(folder) / "data"))


if __name__ == "__main__":
    main()
