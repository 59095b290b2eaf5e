"""What fits by cell, and what-ifs, through `/ops/v1`."""

from __future__ import annotations

from tests.dialects.conftest import Tell
from tests.dialects.support import Wired, good, refused

GIB = 2**30


def test_what_fits_is_said_for_each_cell_too(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        capacity = good(await on.ops.get("/capacity"))

        assert [row["cell"] for row in capacity["by_cell"]] == capacity["cells"]
        best = max(row["free_resources"]["most_free_by_cpu"]["cpu"] for row in capacity["by_cell"])
        assert best == capacity["free_resources"]["most_free_by_cpu"]["cpu"]
        good(await on.ops.put("/cells/cell-1/reachability", json={"state": "down"}))
        assert [row["cell"] for row in good(await on.ops.get("/capacity"))["by_cell"]] == ["cell-2"]

    tell(story)


def test_a_what_if_says_where_they_would_go_and_who_shrinks_and_makes_nothing(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for number in range(4):
            await on.running(f"crawl-{number}", cpu=16_000, gib=4, is_backfilling=True, cpu_floor=0.25)
        body = {"count": 2, "cpu_mhz": 8000, "memory_bytes": GIB}
        log = await on.events()

        told = good(await on.ops.post("/preview/placement", json=body))

        assert (told["asked"], told["placed"]) == (2, 2)
        assert [each["number"] for each in told["placements"]] == [1, 2]
        assert {row["cpu_after"] for row in told["shrinks"]} == {0.5}
        assert told["sentences"] == [
            "All 2 servers find a host.",
            "They stand on 2 hosts.",
            "2 backfilling servers get smaller.",
        ]
        assert await on.events() == log

    tell(story)


def test_what_does_not_fit_says_why_and_an_impossible_wish_is_refused(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        told = good(await on.ops.post("/preview/placement", json={"count": 50, "cpu_mhz": 12_000, "memory_bytes": GIB}))

        assert told["placed"] < 50
        assert sum(told["refused"].values()) == 4
        assert told["sentences"][0] == f"{told['placed']} of 50 servers find a host; the next one finds none."
        for wrong, code, word in (
            ({"cpu_mhz": 1, "memory_bytes": GIB}, 400, "invalid"),
            ({"count": 51, "cpu_mhz": 2000, "memory_bytes": GIB}, 400, "invalid"),
            ({"count": 0, "cpu_mhz": 2000, "memory_bytes": GIB}, 400, "invalid"),
            ({"cpu_mhz": 2000, "memory_bytes": GIB, "avoid_group": "nobody"}, 404, "not_found"),
            ({"cpu_mhz": 2000, "memory_bytes": GIB, "cell": "nowhere"}, 404, "not_found"),
        ):
            assert refused(await on.ops.post("/preview/placement", json=wrong), code)["error"]["code"] == word
        fine = {"cpu_mhz": 2000, "memory_bytes": GIB}
        assert refused(await on.tenant_ops.post("/preview/placement", json=fine), 403)["error"]["code"] == "forbidden"

    tell(story)
