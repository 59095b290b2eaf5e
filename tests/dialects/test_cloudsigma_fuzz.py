"""Whatever is sent to CloudSigma's paths: no answer is a fault of ours, and what is refused changes nothing.

Bodies are made up from the same descriptions that validate them, with something else put in here and there.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.check import check
from backend.cloud.catalogue import IMAGES
from backend.dialects.cloudsigma import PATHS, bodies
from backend.dialects.cloudsigma.server_actions import ACTIONS
from backend.dialects.cloudsigma.table import Path as ServedPath
from tests.dialects.sigma import DISK, MINIMAL
from tests.dialects.support import Wired, wired

KINDS = ("server", "bserver", "drive", "snapshot", "job", "image", "tag", "ip", "vlan", "policy", "keypair")
NAMES = {"libdrives": "image", "fwpolicies": "policy", "pubkeys": "keypair"}
"""What one of a resource is called here, where it is not the resource without its s."""
MODELS: dict[str, type[bodies.Sent]] = {
    "servers": bodies.ServerSent,
    "bservers": bodies.ServerSent,
    "drives": bodies.DriveSent,
    "snapshots": bodies.SnapshotSent,
    "libdrives": bodies.DriveCloned,
    "jobs": bodies.DriveCloned,
    "capabilities": bodies.DriveCloned,
    "tags": bodies.TagSent,
    "ips": bodies.AddressEdited,
    "vlans": bodies.VlanEdited,
    "fwpolicies": bodies.PolicySent,
    "keypairs": bodies.KeyPairSent,
    "profile": bodies.ProfileEdited,
}
"""What the bodies of each resource look like; where it takes none, anything will do."""

REQUESTS_MAX = 25

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from((0, -1, 1, 2**31, 2**63, 2**64, 0.5, -0.0, 1e308))
    | st.integers()
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
ids = st.sampled_from([f"{{{kind}}}" for kind in KINDS]) | st.sampled_from(
    ("x", "00000000-0000-4000-8000-000000000000")
)


def values(said: dict[str, Any], known: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What a JSON schema asks for, mostly."""
    if "$ref" in said:
        return values(known[said["$ref"].rpartition("/")[2]], known)
    if "anyOf" in said:
        return st.one_of(*(values(each, known) for each in said["anyOf"]))
    if "enum" in said or "const" in said:
        return st.sampled_from(said.get("enum", (said.get("const"),)))
    match said.get("type"):
        case "integer":
            return st.sampled_from((1, 250, 1000, 2000, 2**28, 2**29, 2**30, 2**31)) | st.integers(0, 2**34)
        case "number":
            return st.floats(0, 1)
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case "array":
            return st.lists(values(said.get("items", {}), known), max_size=3)
        case "object" if "properties" in said:
            return objects(said, known)
        case "object":
            return st.dictionaries(st.text(min_size=1, max_size=10), st.text(max_size=10), max_size=3)
        case "string":
            return ids | st.text(max_size=20) | st.sampled_from(("0:0", "0:1", "1:0"))
        case _:
            return anything


def objects(said: dict[str, Any], known: dict[str, Any]) -> st.SearchStrategy[Any]:
    required = set(said.get("required", ()))
    parts = {name: values(each, known) for name, each in said["properties"].items()}
    whole = st.fixed_dictionaries(
        {name: part for name, part in parts.items() if name in required},
        optional={name: part for name, part in parts.items() if name not in required},
    )
    return st.tuples(
        whole, st.dictionaries(st.sampled_from(sorted(parts)), anything, max_size=1), st.integers(0, 3)
    ).map(lambda drawn: drawn[0] if drawn[2] else {**drawn[0], **drawn[1]})


def body_of(resource: str) -> st.SearchStrategy[Any]:
    said = MODELS[resource].model_json_schema()
    whole = objects(said, said.get("$defs", {}))
    many = st.lists(whole, min_size=1, max_size=3)
    references = st.lists(ids, max_size=3).map(lambda found: {"objects": [{"uuid": each} for each in found]})
    return whole | many | many.map(lambda found: {"objects": found}) | references | anything


texts = st.text(max_size=10)
QUERIES = st.fixed_dictionaries(
    {},
    optional={
        "do": st.sampled_from((*ACTIONS, "resize", "explode", "")),
        "avoid": st.lists(ids, max_size=3).map(",".join) | texts,
        "recurse": st.sampled_from(("all_drives", "disks", "cdroms", "x")),
        "limit": st.integers(-1, 5).map(str) | texts,
        "offset": st.integers(-1, 5).map(str) | texts,
        "fields": texts | st.sampled_from(("uuid", "name,uuid", "nothing")),
        "order_by": st.sampled_from(("name", "-name", "cpu", "")) | texts,
        "name": texts,
        "tag": texts,
    },
)
SERVED = [
    (method, path.path)
    for path in PATHS
    if isinstance(path, ServedPath)
    for method in (*path.handlers, "PATCH", "OPTIONS")
]


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, dict[str, str], Any]:
    method, path = draw(st.sampled_from(SERVED))
    resource = path.split("/")[1]
    own = "{" + NAMES.get(resource, resource.removesuffix("s")) + "}"
    uuid = own if draw(st.integers(0, 4)) else draw(ids)
    query = draw(QUERIES)
    if path.endswith("/action") and draw(st.integers(0, 5)):
        choices = tuple(ACTIONS) if "servers" in resource else ("clone", "resize")
        query["do"] = draw(st.sampled_from(choices))
    body = draw(body_of(resource)) if method in ("POST", "PUT", "DELETE") and resource in MODELS else None
    return method, path.replace("{uuid}", uuid) + "/", query, body


def filled(value: Any, known: dict[str, str]) -> Any:
    if isinstance(value, str):
        return re.sub(r"{(\w+)}", lambda found: known.get(found[1], found[0]), value)
    if isinstance(value, dict):
        return {key: filled(part, known) for key, part in value.items()}
    if isinstance(value, list):
        return [filled(part, known) for part in value]
    return value


async def happened(on: Wired) -> int:
    """How many events there are in all files."""
    store = on.app.cloud.store
    counts = await store.each_cell(lambda tx: tx.last_event_number())
    central = await store.cloud_read(lambda tx: tx.last_event_number())
    return central + sum(count for count in counts.values() if isinstance(count, int))


async def some_of_each(on: Wired) -> dict[str, str]:
    vlan = (await on.sigma.get("/vlans/")).json()["objects"][0]["uuid"]
    known = {"image": IMAGES[0].id, "ip": "198.18.0.2", "vlan": vlan}
    for kind, path, body in (
        ("server", "/servers/", MINIMAL),
        ("bserver", "/bservers/", MINIMAL),
        ("drive", "/drives/", DISK),
        ("tag", "/tags/", {"name": "mine"}),
        ("policy", "/fwpolicies/", {}),
        ("keypair", "/keypairs/", {"name": "mine"}),
    ):
        known[kind] = (await on.sigma.post(path, json=body)).json()["objects"][0]["uuid"]
    await on.advance(5)
    made = await on.sigma.post("/snapshots/", json={"drive": known["drive"]})
    known["snapshot"] = made.json()["objects"][0]["uuid"]
    copy = (await on.sigma.post(f"/drives/{known['drive']}/action/?do=clone")).json()["objects"][0]
    known["job"] = copy["jobs"][0]["uuid"]
    return known


async def send_all(on: Wired, asked: list[tuple[str, str, dict[str, str], Any]]) -> None:
    known = await some_of_each(on)
    for place, (method, path, query, body) in enumerate(asked):
        before = await happened(on)
        content = {} if body is None else {"json": filled(body, known)}
        answer = await on.sigma.request(method, filled(path, known), params=filled(query, known), **content)
        said = (method, path, query, body, answer.status_code, answer.text[:500])
        assert answer.status_code < 500 or answer.status_code == 503, said
        if answer.status_code >= 400:
            [error] = answer.json()
            assert set(error) == {"error_type", "error_message", "error_point"}, said
            assert answer.status_code == 503 or await happened(on) == before, said
        if place % 3 == 2:
            await on.advance(10)
    assert check(on.app.cloud.store.path).breach is None


def tell(asked: list[tuple[str, str, dict[str, str], Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        wired(Path(folder) / "data", lambda on: send_all(on, asked))


@settings(max_examples=4, deadline=None, derandomize=True)
@given(st.lists(requests(), min_size=10, max_size=REQUESTS_MAX))
def test_nothing_that_is_sent_is_a_fault_and_what_is_refused_changes_nothing(
    asked: list[tuple[str, str, dict[str, str], Any]],
) -> None:
    tell(asked)


@pytest.mark.thorough
@settings(max_examples=600, deadline=None, database=None)
@given(st.lists(requests(), min_size=10, max_size=REQUESTS_MAX))
def test_nothing_of_very_much_that_is_sent_is_a_fault(asked: list[tuple[str, str, dict[str, str], Any]]) -> None:
    tell(asked)
