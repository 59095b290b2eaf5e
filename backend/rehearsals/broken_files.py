"""Files of cells, and what is put in their place so that their cell does not answer."""

from __future__ import annotations

import shutil
from pathlib import Path


class BrokenFiles:
    """Of one data folder. What is put aside stays in the folder until it is put back."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _file(self, cell: str) -> Path:
        return self._path / "cells" / f"{cell}.db"

    def _aside(self, cell: str) -> Path:
        return self._path / f"{cell}.aside"

    def _copy(self, cell: str) -> Path:
        return self._path / f"{cell}.copy"

    def keep_copies(self) -> None:
        """Of every cell as it is now. Nobody has the folder open."""
        for file in sorted((self._path / "cells").glob("*.db")):
            shutil.copyfile(file, self._copy(file.stem))

    def replace(self, cell: str, state: str) -> None:
        file = self._file(cell)
        if not self._aside(cell).exists():
            file.rename(self._aside(cell))
        if state == "garbage":
            file.write_bytes(b"not a database at all" * 400)
        else:
            shutil.copyfile(self._copy(cell), file)

    def put_back(self, cell: str) -> None:
        if self._aside(cell).exists():
            self._aside(cell).replace(self._file(cell))

    def put_all_back(self) -> None:
        for aside in sorted(self._path.glob("*.aside")):
            self.put_back(aside.stem)
        for copy in self._path.glob("*.copy"):
            copy.unlink()
