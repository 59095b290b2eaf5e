"""What a real Nova answered, asked of a cloud like the one that it had: the same keys, status and shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backend.dialects.nova.versions import HIGHEST
from tests.dialects.compute import expect, the_recorded_cloud
from tests.dialects.conftest import Tell
from tests.dialects.support import BASE, Wired

GOLDEN = Path(__file__).parent / "golden_nova"
FILES = sorted(path.stem for path in GOLDEN.glob("*.json"))


async def ask(on: Wired, case: dict[str, Any], ids: dict[str, str]) -> None:
    client = {"member": on.tenant_nova, "admin": on.nova, "nobody": on.bare}[case["as"]]
    path = case["path"]
    for name, id in ids.items():
        path = path.replace("{" + name + "}", id)
    body = case["body"]
    content = None if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    answer = await client.request(case["method"], BASE + "/compute" + path, headers=case["headers"], content=content)

    assert answer.status_code == case["status"], answer.text
    is_json = answer.headers["content-type"].startswith("application/json")
    expect(case["template"], answer.json() if is_json else answer.text)
    wanted = case["version"]
    wanted = str(HIGHEST) if wanted == "<highest>" else wanted
    assert answer.headers.get("x-openstack-nova-api-version") == wanted
    assert answer.headers.get("openstack-api-version") == (None if wanted is None else f"compute {wanted}")
    varies = [] if wanted is None else ["OpenStack-API-Version", "X-OpenStack-Nova-API-Version"]
    assert answer.headers.get_list("vary") == varies
    assert answer.headers["x-openstack-request-id"] == answer.headers["x-compute-request-id"]
    assert answer.headers["x-compute-request-id"].startswith("req-")


@pytest.mark.parametrize("name", FILES)
def test_it_answers_as_the_recorded_nova_did(tell: Tell, name: str) -> None:
    recorded = json.loads((GOLDEN / f"{name}.json").read_text())
    cases = [{**case, "template": recorded["answers"][case["answer"]]} for case in recorded["cases"]]
    assert "Nova 34.0.0 (Apache-2.0)" in recorded["note"]

    async def story(on: Wired) -> None:
        ids = await the_recorded_cloud(on)
        wrong = []
        for case in cases:
            try:
                await ask(on, case, ids)
            except AssertionError as problem:
                wrong.append(f"{case['name']} {case['method']} {case['path']}: {problem}")
        assert not wrong, "\n".join(wrong)

    tell(story)
