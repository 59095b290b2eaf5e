"""The scenarios that come with the product."""

from __future__ import annotations

from pathlib import Path

_ENDING = ".rehearsal.toml"


def shipped() -> list[Path]:
    """The scenarios that come with the product, by name."""
    return sorted((Path(__file__).parents[1] / "package_data").glob(f"*{_ENDING}"))


def name_of(path: Path) -> str:
    """Of a scenario that comes with the product."""
    return path.name.removesuffix(_ENDING)


def find(name: str) -> Path:
    """The file of a scenario: one that comes with the product goes by its name, unless a file is called so."""
    named = {name_of(path): path for path in shipped()}
    return Path.cwd() / name if name not in named or Path(name).is_file() else named[name]
