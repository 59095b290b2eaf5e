"""Services through `/ops/v1`, against what the Compute API says of the same cloud."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dialects.compute import version
from tests.dialects.conftest import Tell
from tests.dialects.support import Wired, good, refused


async def told(on: Wired) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = good(await on.ops.get("/services"))["services"]
    return found


async def as_nova_says(on: Wired) -> list[tuple[str, str, str, str | None]]:
    rows = good(await on.nova.get("/os-services", headers=version(69)))["services"]
    return sorted((row["binary"], row["host"], row["status"], row.get("state") or "") for row in rows)


@pytest.mark.parametrize("state", ["up", "down", "hung"])
def test_the_operator_is_told_the_services_that_the_compute_api_tells(tell: Tell, state: str) -> None:
    async def story(on: Wired) -> None:
        good(await on.ops.post("/hosts/c2-h1/actions", json={"action": "fail"}), 202)
        good(await on.ops.post("/hosts/c2-h2/actions", json={"action": "drain"}), 202)
        if state != "up":
            await on.break_cell("cell-1", state)

        rows = await told(on)

        found = sorted((row["binary"], row["host"], row["status"], row["state"] or "") for row in rows)
        assert found == await as_nova_says(on)

    tell(story)


def test_of_a_silent_cell_it_is_told_what_was_last_known_of_its_hosts(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        good(await on.ops.post("/hosts/c1-h2/actions", json={"action": "drain"}), 202)
        await told(on)
        await on.break_cell("cell-1")

        rows = {row["host"]: row for row in await told(on) if row["cell"] == "cell-1"}

        assert {host: (row["status"], row["last_state"]) for host, row in rows.items()} == {
            "c1-h1": ("UNKNOWN", "up"),
            "c1-h2": ("UNKNOWN", "maintenance"),
        }
        assert all(row["known_at"] is not None and row["updated_at"] is None for row in rows.values())

    tell(story)


def test_services_are_told_to_staff_only(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        assert refused(await on.tenant_ops.get("/services"), 403)["error"]["code"] == "forbidden"

    tell(story)
