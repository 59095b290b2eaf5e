"""What is rehearsed on this cloud, for whoever watches."""

from __future__ import annotations

from backend.dialects.ops.bodies import NoBody, NoQuery
from backend.dialects.ops.table import Answer, Call


async def get_rehearsal(call: Call[NoQuery, NoBody]) -> Answer:
    found = call.cloud.rehearsal
    return Answer({"rehearsal": None if found is None else dict(await found.told())})
