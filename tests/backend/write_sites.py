"""Every place in the operations and the engine that writes, read from their source: so that none can be forgotten.

An operation that spans files is a function that anybody may call and that, with all that it calls, writes more than
once: at two places, or at one in a loop. What `settling` writes for an operation is a write at the operation's place.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import FrameType

BACKEND = Path(__file__).resolve().parents[2] / "backend"
WRITES = ("cloud_write", "cell_write")
SETTLING = "settling"
SETTLES = {"carried_out": True, "acknowledge": False, "give_back": False}
"""What writes for an operation, and whether that is more than once."""


@dataclass(slots=True)
class Function:
    module: str
    """`servers` is `backend/operations/servers.py`."""
    name: str
    """`_Plan.carry_out` is a method."""
    is_public: bool
    writes: list[tuple[int, bool]] = field(default_factory=list)
    """Line, and whether it is in a loop."""
    calls: set[tuple[str, str]] = field(default_factory=set)
    """Module and name, of what may be a function."""

    def sites(self) -> Iterator[str]:
        for number in range(1, len(self.writes) + 1):
            yield f"{self.module}.{self.name} {number}"


def sources() -> list[Path]:
    operations = sorted((BACKEND / "operations").glob("*.py"))
    return [BACKEND / "engine.py", *(path for path in operations if path.stem != SETTLING)]


@cache
def functions() -> Mapping[tuple[str, str], Function]:
    found: dict[tuple[str, str], Function] = {}
    for path in sources():
        module = "operations" if path.name == "__init__.py" else path.stem
        tree = ast.parse(path.read_text())
        imported = {
            name.asname or name.name: (node.module or "").rsplit(".", 1)[-1]
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for name in node.names
        }
        for node in tree.body:
            if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef):
                found[module, node.name] = _read(node, module, node.name, imported)
            elif isinstance(node, ast.ClassDef):
                for inner in node.body:
                    if isinstance(inner, ast.AsyncFunctionDef | ast.FunctionDef):
                        name = f"{node.name}.{inner.name}"
                        found[module, name] = _read(inner, module, name, imported)
    return found


def _read(
    node: ast.AsyncFunctionDef | ast.FunctionDef, module: str, name: str, imported: Mapping[str, str]
) -> Function:
    is_public = isinstance(node, ast.AsyncFunctionDef) and not any(part.startswith("_") for part in name.split("."))
    function = Function(module, name, is_public)

    def walk(at: ast.AST, *, is_in_loop: bool) -> None:
        is_in_loop = is_in_loop or isinstance(at, ast.For | ast.AsyncFor | ast.While)
        match at:
            case ast.Call(func=ast.Attribute(attr=attr)) if attr in WRITES:
                function.writes.append((at.lineno, is_in_loop))
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=attr)) if owner == SETTLING:
                function.writes.append((at.lineno, is_in_loop or SETTLES[attr]))
            case ast.Attribute(value=ast.Name(id=owner), attr=attr):
                function.calls.add((owner, attr))
                function.calls.add((module, attr))
            case ast.Attribute(attr=attr):
                function.calls.add((module, attr))
            case ast.Name(id=id):
                function.calls.add((imported.get(id, module), id))
        for child in ast.iter_child_nodes(at):
            walk(child, is_in_loop=is_in_loop)

    walk(node, is_in_loop=False)
    function.writes.sort()
    return function


def writes_elsewhere() -> set[str]:
    """Files outside the store, the operations and the engine that write."""
    known = {*sources(), BACKEND / "operations" / f"{SETTLING}.py", *(BACKEND / "store").glob("*.py")}
    return {
        str(path.relative_to(BACKEND))
        for path in BACKEND.rglob("*.py")
        if path not in known and any(f".{word}" in path.read_text() for word in WRITES)
    }


def writes_unseen() -> list[str]:
    """Where a write is named and not called, so that whatever calls it later has no name."""
    found = []
    for path in sources():
        tree = ast.parse(path.read_text())
        called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        found += [
            f"{path.name}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and node.attr in WRITES and id(node) not in called
        ]
    return found


def _called(function: Function) -> Iterator[Function]:
    """What it calls, as far as it is a function of the operations; a method by its last name, in its own module."""
    every = functions()
    for module, name in function.calls:
        if (module, name) in every:
            yield every[module, name]
        elif module == function.module:
            for (other, method), found in every.items():
                if other == module and method.endswith(f".{name}"):
                    yield found


def reached_by(function: Function) -> dict[str, Function]:
    found: dict[str, Function] = {}
    waiting = [function]
    while waiting:
        each = waiting.pop()
        key = f"{each.module}.{each.name}"
        if key not in found:
            found[key] = each
            waiting.extend(_called(each))
    return found


def operations_across_files() -> dict[str, list[str]]:
    """Each, and the places where it writes."""
    across: dict[str, list[str]] = {}
    for function in functions().values():
        if not function.is_public:
            continue
        reached = reached_by(function).values()
        weight = sum(2 if is_in_loop else 1 for each in reached for _, is_in_loop in each.writes)
        if weight > 1:
            across[f"{function.module}.{function.name}"] = sorted(site for each in reached for site in each.sites())
    return across


@cache
def _site_at() -> Mapping[tuple[str, int], str]:
    return {
        (function.module, line): site
        for function in functions().values()
        for (line, _), site in zip(function.writes, function.sites(), strict=True)
    }


def site_of(frame: FrameType) -> str:
    """The name of the place that calls there; of one outside the operations, its file."""
    while Path(frame.f_code.co_filename).stem == SETTLING:
        assert frame.f_back is not None, "somebody awaits it"
        frame = frame.f_back
    module = Path(frame.f_code.co_filename).stem
    return _site_at().get((module, frame.f_lineno), module)
