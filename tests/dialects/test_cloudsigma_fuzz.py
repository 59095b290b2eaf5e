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
    "clone": bodies.ServerCloned,
}
"""What the bodies of each resource look like; where it takes none, anything will do."""

ACTION_MODELS = {
    "/servers/{uuid}/action": "clone",
    "/bservers/{uuid}/action": "clone",
    "/drives/{uuid}/action": "libdrives",
    "/snapshots/{uuid}/action": "libdrives",
}
"""Of paths whose bodies are another resource's."""

REQUESTS_MAX = 25

Request = tuple[str, str, dict[str, str], Any]
"""Method, path, query and body, with `{kind}` for the id of something of that kind."""

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


GOOD: dict[str, st.SearchStrategy[Any]] = {
    "cpu": st.sampled_from((250, 1000, "2000", 4000)),
    "mem": st.sampled_from((2**28, 2**30, str(2**31))),
    "smp": st.integers(1, 4),
    "size": st.sampled_from((2**29, 2**30, str(3 * 2**29), 2**31, 3 * 2**30)),
    "boot_order": st.none() | st.integers(1, 3),
    "dev_channel": st.sampled_from(("0:0", "0:1", "1:0")),
    "drive": st.just("{drive}"),
}
"""What is taken of these fields: of whole numbers in general hardly any is."""


PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "integer": st.integers(0, 100),
    "number": st.floats(0, 1),
    "boolean": st.booleans(),
    "null": st.none(),
    "object": st.dictionaries(st.text(min_size=1, max_size=10), st.text(max_size=10), max_size=2),
    "string": st.text(max_size=20) | ids,
}


def values(name: str, said: dict[str, Any], known: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What a JSON schema asks for."""
    if name in GOOD:
        return GOOD[name]
    if "$ref" in said:
        return values("", known[said["$ref"].rpartition("/")[2]], known)
    if "anyOf" in said:
        return st.one_of(*(values("", each, known) for each in said["anyOf"]))
    if "enum" in said or "const" in said:
        return st.sampled_from(said.get("enum", (said.get("const"),)))
    match said.get("type"):
        case "array":
            return st.lists(values("", said.get("items", {}), known), max_size=2)
        case "object" if "properties" in said:
            return objects(said, known)
        case kind:
            return PLAIN.get(str(kind), anything)


@st.composite
def objects(draw: st.DrawFn, said: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """All that is required, a little of the rest, and one time of four something that does not belong there."""
    required, parts = set(said.get("required", ())), said["properties"]
    some = draw(st.sets(st.sampled_from(sorted(parts)), max_size=2))
    drawn = {name: draw(values(name, parts[name], known)) for name in sorted(required | some)}
    if draw(st.integers(0, 3)) == 2:
        drawn[draw(st.sampled_from(sorted(parts)))] = draw(anything)
    return drawn


@st.composite
def body_of(draw: st.DrawFn, resource: str) -> Any:
    said = MODELS[resource].model_json_schema()
    whole = objects(said, said.get("$defs", {}))
    many = st.lists(whole, min_size=1, max_size=2)
    references = st.lists(ids, max_size=2).map(lambda found: {"objects": [{"uuid": each} for each in found]})
    return draw(draw(st.sampled_from((whole, whole, whole, many, references, anything))))


texts = st.text(max_size=10)
QUERIES: dict[str, st.SearchStrategy[str]] = {
    "avoid": st.lists(st.sampled_from(("{server}", "{drive}")), max_size=3).map(",".join) | texts,
    "recurse": st.sampled_from(("all_drives", "disks", "cdroms", "x")),
    "limit": st.integers(-1, 5).map(str) | texts,
    "offset": st.integers(-1, 5).map(str) | texts,
    "fields": texts | st.sampled_from(("uuid", "name,uuid", "nothing")),
    "order_by": st.sampled_from(("name", "-name", "cpu", "")) | texts,
    "name": texts,
    "tag": texts,
}
SERVED = [(method, path.path) for path in PATHS if isinstance(path, ServedPath) for method in path.handlers]
WRITES = [(method, path) for method, path in SERVED if method != "GET"]


@st.composite
def requests(draw: st.DrawFn) -> Request:
    method, path = draw(st.sampled_from(SERVED) | st.sampled_from(WRITES))
    if draw(st.integers(0, 30)) == 17:
        method = draw(st.sampled_from(("PATCH", "OPTIONS", "HEAD")))
    resource = path.split("/")[1]
    own = "{" + NAMES.get(resource, resource.removesuffix("s")) + "}"
    uuid = draw(ids) if draw(st.integers(0, 6)) == 4 else own
    query = {name: draw(QUERIES[name]) for name in draw(st.sets(st.sampled_from(sorted(QUERIES)), max_size=1))}
    if path.endswith("/action"):
        choices = tuple(ACTIONS) if "servers" in resource else ("clone", "resize")
        query["do"] = draw(st.sampled_from((*choices, *choices, "explode")))
    body = None
    if method in ("POST", "PUT", "DELETE") and resource in MODELS:
        is_about_one = method == "DELETE" and path.endswith("{uuid}")
        is_plain_action = path.endswith("/action") and query["do"] not in ("clone", "resize")
        body = None if is_about_one or is_plain_action else draw(body_of(ACTION_MODELS.get(path, resource)))
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


async def send_all(on: Wired, asked: list[Request]) -> None:
    known = await some_of_each(on)
    for place, (method, path, query, body) in enumerate(asked):
        before = await happened(on)
        content = {} if body is None else {"json": filled(body, known)}
        answer = await on.sigma.request(method, filled(path, known), params=filled(query, known), **content)
        said = (method, path, query, body, answer.status_code, answer.text[:500])
        assert answer.status_code < 500 or answer.status_code == 503, said
        if answer.status_code >= 400:
            # What is asked by HEAD is answered without a body.
            error = {} if method == "HEAD" else answer.json()[0]
            assert method == "HEAD" or set(error) == {"error_type", "error_message", "error_point"}, said
            assert answer.status_code == 503 or await happened(on) == before, said
        if place % 3 == 2:
            await on.advance(10)
    assert check(on.app.cloud.store.path).breach is None


def tell(asked: list[Request]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        wired(Path(folder) / "data", lambda on: send_all(on, asked))


@settings(max_examples=4, deadline=None, derandomize=True)
@given(st.lists(requests(), min_size=10, max_size=REQUESTS_MAX))
def test_nothing_that_is_sent_is_a_fault_and_what_is_refused_changes_nothing(
    asked: list[Request],
) -> None:
    tell(asked)


@pytest.mark.thorough
@settings(max_examples=600, deadline=None, database=None)
@given(st.lists(requests(), min_size=10, max_size=REQUESTS_MAX))
def test_nothing_of_very_much_that_is_sent_is_a_fault(asked: list[Request]) -> None:
    tell(asked)
