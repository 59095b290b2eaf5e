"""Sizes in `/ops/v1`: limits, what a new server or another size would come to, resizing; and the library's images."""

from __future__ import annotations

from typing import Any

from backend.cloud.catalogue import IMAGES, find_image
from backend.cloud.errors import Invalid, NotFound
from backend.cloud.model import LARGEST_SERVER, SMALLEST_SERVER, Size
from backend.dialects.ops import cloning, plans, reads, render, separation
from backend.dialects.ops.bodies import DriveAction, DriveToMake, LimitsQuery, NoBody, NoQuery, ServerAction
from backend.dialects.ops.schema import DriveOutcome, ServerOutcome
from backend.dialects.ops.schema_sizing import ImageList, Limits
from backend.dialects.ops.table import Answer, Call, once
from backend.operations import avoiding, drives, library, resizing, servers, sizing
from backend.operations.drives import DriveSpec
from backend.operations.servers import ServerSpec


async def limits(call: Call[LimitsQuery, NoBody]) -> Answer:
    project_id = call.query.project or call.account.project_id
    left = await sizing.left_in(call.cloud, call.account, project_id)
    content: Limits = {
        "project_id": project_id,
        "cpu_mhz": {"min": SMALLEST_SERVER.cpu_mhz, "max": LARGEST_SERVER.cpu_mhz},
        "memory_bytes": {"min": SMALLEST_SERVER.memory_bytes, "max": LARGEST_SERVER.memory_bytes},
        "drive_bytes": {"min": drives.SIZE_BYTES_MIN, "max": drives.SIZE_BYTES_MAX},
        "left": {
            "servers": left.servers,
            "cpu_mhz": left.cpu_mhz,
            "memory_bytes": left.memory_bytes,
            "storage_bytes": left.storage_bytes,
        },
    }
    return Answer(content)


# --- servers ---------------------------------------------------------------------------------------------------------


async def preview_creation(call: Call[NoQuery, Any], spec: ServerSpec) -> Answer:
    plan = await sizing.preview_creation(call.cloud, call.account, spec)
    row = plans.plan_row(plan, if_version=None)
    row["separation"] = separation.rows(call, await cloning.report_of_plan(call, plan))
    return Answer({"plan": row})


async def resize_server(call: Call[NoQuery, ServerAction]) -> Answer:
    """202 with the server as it is now; with `preview` 200 with where it would start, and nothing changes."""
    body, id = call.body, call.path["id"]
    if body.cpu_mhz is None and body.memory_bytes is None:
        raise Invalid("action", "cpu_mhz or memory_bytes is needed to resize")
    found = await servers.get_server(call.cloud, call.account, id)
    size = Size(body.cpu_mhz or found.size.cpu_mhz, body.memory_bytes or found.size.memory_bytes)
    if body.preview:
        plan = await sizing.preview_resize(call.cloud, call.account, id, size, if_version=body.if_version)
        return Answer({"plan": plans.plan_row(plan, if_version=None)})

    async def resize() -> Answer:
        server = await sizing.resize_server(
            call.cloud, call.account, id, size, if_version=body.if_version, request=call.request
        )
        row: Any = reads.server_row(call, server)
        outcome: ServerOutcome = {"server": row, "task": None, "decision": None}
        return Answer(outcome, 202)

    return await once(call, resize)


# --- drives ----------------------------------------------------------------------------------------------------------


async def resize_drive(call: Call[NoQuery, DriveAction]) -> Answer:
    """202 with the drive, which is `resizing` for a while."""
    body = call.body
    if body.preview:
        raise Invalid("preview", "there is nothing to show before a resize")
    if body.size_bytes is None:
        raise Invalid("size_bytes", "is needed to resize")
    size_bytes = body.size_bytes

    async def resize() -> Answer:
        drive = await resizing.resize_drive(
            call.cloud, call.account, call.path["id"], size_bytes, if_version=body.if_version, request=call.request
        )
        row: Any = reads.drive_row(call, drive)
        outcome: DriveOutcome = {"drive": row, "task": None}
        return Answer(outcome, 202)

    return await once(call, resize)


async def list_images(call: Call[NoQuery, NoBody]) -> Answer:
    """The library's: any account may make drives of them."""
    content: ImageList = {
        "images": [
            {
                "id": image.id,
                "name": image.name,
                "os": image.os,
                "version": image.version,
                "size_bytes": image.size_bytes,
                "user": image.user,
            }
            for image in IMAGES
        ]
    }
    return Answer(content)


async def make_of_image(call: Call[NoQuery, DriveToMake], image_id: str, spec: DriveSpec) -> Answer:
    """201 with the drive, which is `cloning_dst` for a while."""
    image = find_image(image_id)
    if image is None:
        raise NotFound("image", image_id)

    async def make() -> Answer:
        drive = await library.clone_image(call.cloud, call.account, image, spec, request=call.request)
        entries = await avoiding.of_drive(call.cloud, call.account, drive, spec.avoid)
        return Answer({**render.drive_row(drive), "separation": separation.rows(call, entries)}, 201)

    return await once(call, make)
