"""What fits now, and what would become of servers that nobody has made yet: `/ops/v1/capacity`, `/ops/v1/preview`."""

from __future__ import annotations

from backend.cloud.backfill import Price
from backend.cloud.model import Size
from backend.dialects.ops.bodies import NoBody, NoQuery, PlacementToTry
from backend.dialects.ops.plans import counted, decision_row, does, factor_row, stop_row
from backend.dialects.ops.schema import CapacityRow, FitsRow, FreeAmount, PriceRow
from backend.dialects.ops.schema_room import WhatIfAnswer
from backend.dialects.ops.table import Answer, Call
from backend.operations import what_ifs
from backend.operations.capacity import Capacity, Fits, what_fits
from backend.operations.what_ifs import WhatIf


async def capacity(call: Call[NoQuery, NoBody]) -> Answer:
    return Answer(capacity_row(await what_fits(call.cloud, call.context.pictures)))


def capacity_row(found: Capacity) -> CapacityRow:
    return {
        **_fits_row(found.overall),
        "cells": list(found.by_cell),
        "unreachable": list(found.unreachable),
        "by_cell": [{"cell": cell, **_fits_row(fits)} for cell, fits in found.by_cell.items()],
    }


def _fits_row(fits: Fits) -> FitsRow:
    def amount(size: Size) -> FreeAmount:
        return {"cpu": size.cpu_mhz, "mem": size.memory_bytes}

    def price(largest: Price) -> PriceRow:
        size, host = largest
        return {"cpu_mhz": size.cpu_mhz, "memory_bytes": size.memory_bytes, "host": host}

    free = fits.free
    return {
        "free_resources": {
            "total": amount(free.total),
            "most_free_by_cpu": amount(free.most_free_by_cpu),
            "most_free_by_memory": amount(free.most_free_by_memory),
        },
        "host_by_cpu": free.host_by_cpu,
        "host_by_memory": free.host_by_memory,
        "normal_prices": {
            "none_shrunk": price(fits.none_shrunk),
            "others_shrink": price(fits.others_shrink),
            "others_stop": price(fits.others_stop),
        },
    }


async def try_placement(call: Call[NoQuery, PlacementToTry]) -> Answer:
    """Where they would go; nothing is made."""
    body = call.body
    asked = WhatIf(
        count=body.count,
        size=Size(body.cpu_mhz, body.memory_bytes),
        is_backfilling=body.is_backfilling,
        cell=body.cell,
        avoid=tuple(body.avoid),
        avoid_group=body.avoid_group,
        apart=body.apart,
    )
    return Answer(_what_if_row(await what_ifs.what_if(call.cloud, call.account, call.context.pictures, asked)))


def _what_if_row(found: what_ifs.Answer) -> WhatIfAnswer:
    names = {server.id: server.name for server in found.stops}
    return {
        "asked": found.asked.count,
        "placed": len(found.placed),
        "placements": [
            {
                "number": number,
                "cell": each.cell,
                "decision": decision_row(each.decision, names),
                "shares": each.shares,
                "shrinks": [factor_row(change) for change in each.shrinks],
            }
            for number, each in enumerate(found.placed, start=1)
        ],
        "stops": [stop_row(server, found.at) for server in found.stops],
        "shrinks": [factor_row(change) for change in found.shrinks],
        "refused": found.refused,
        "unreachable": found.unreachable,
        "sentences": _sentences(found),
    }


def _sentences(found: what_ifs.Answer) -> list[str]:
    """What would happen, one thing a sentence, the most important first."""
    placed, asked = len(found.placed), found.asked.count
    hosts = len({each.decision.host for each in found.placed})
    if placed == asked:
        said = [f"All {counted(placed, 'server')} find a host." if placed > 1 else "It finds a host."]
    elif placed:
        said = [f"{placed} of {asked} servers find a host; the next one finds none."]
    else:
        said = ["No host has room for even one."]
    if placed > 1:
        said.append(f"They stand on {counted(hosts, 'host')}.")
    if found.stops:
        stopped = "is" if len(found.stops) == 1 else "are"
        said.append(f"{counted(len(found.stops), 'backfilling server')} {stopped} stopped for them.")
    if found.shrinks:
        said.append(f"{does(len(found.shrinks), 'backfilling server', 'get')} smaller.")
    sharing = sum(each.shares > 0 for each in found.placed)
    if sharing:
        said.append(f"{sharing} of them cannot avoid all that they were to avoid.")
    if found.unreachable:
        verb = "does" if len(found.unreachable) == 1 else "do"
        said.append(f"{', '.join(found.unreachable)} {verb} not answer and got none.")
    return said
