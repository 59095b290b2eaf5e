"""`/libdrives/`: the images of the library, which are drives of nobody that can be cloned.

Source: CloudSigma API 2.0, "Library drives". Simplified: there are no installation CDs in it, so none can be attached.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from backend.cloud.catalogue import IMAGES, Image, find_image
from backend.cloud.errors import Forbidden, Invalid, NotFound
from backend.dialects import wire
from backend.dialects.cloudsigma import bodies, query, render
from backend.dialects.cloudsigma.bodies import DriveCloned
from backend.dialects.cloudsigma.schema import LIBRARY_DRIVES
from backend.dialects.cloudsigma.table import Call
from backend.operations import library
from backend.operations.drives import DriveSpec

IN_META = ("arch", "description", "distribution", "image_type", "os", "version")
"""What a clone takes into its meta. Source: CloudSigma API 2.0, "Meta"."""


async def list_detail(call: Call) -> Response:
    """The plain list is as detailed."""
    return await query.page_of(call, LIBRARY_DRIVES, [detail_of(image) for image in IMAGES])


async def get(call: Call) -> Response:
    return query.one(call, detail_of(_find(call)))


def _find(call: Call) -> Image:
    image = find_image(call.uuid)
    if image is None:
        raise NotFound("library drive", call.uuid)
    return image


def require_own(uuid: str, action: str) -> None:
    """Of a drive that something is to be done with that only its owner may do. Raises Forbidden for a library drive.

    Source: CloudSigma API 2.0, "Library drives": a preinstalled one has to be cloned first.
    """
    if find_image(uuid) is not None:
        raise Forbidden(action, "it is a drive of the library: clone it, and take the clone")


async def act(call: Call) -> Response:
    """Clone, with `avoid`."""
    image = _find(call)
    content = await call.content()
    if not isinstance(content, dict):
        raise Invalid("body", "must be an object")
    if call.word("do") != "clone":
        raise Invalid("do", "must be clone")
    return await clone(call, image, wire.validated(DriveCloned, content))


async def clone(call: Call, image: Image, sent: DriveCloned) -> Response:
    """202 with the drive, which is `cloning_dst` for a while."""
    detail = detail_of(image)
    spec = DriveSpec(
        name=image.name if sent.name is None else sent.name,
        size_bytes=image.size_bytes if sent.size is None else bodies.rounded_size(sent.size),
        media=sent.media or "disk",
        avoid=call.avoid,
        meta={name: detail[name] for name in IN_META},
        attributes={
            "storage_type": sent.storage_type or render.STORAGE_TYPE,
            "affinities": sent.affinities or [],
        },
    )
    drive = await library.clone_image(call.cloud, call.account, image, spec)
    return wire.JsonAnswer({"objects": [render.drive_detail(drive, await call.directory(), ())]}, 202)


def detail_of(image: Image) -> dict[str, Any]:
    return {
        "affinities": [],
        "allow_multimount": False,
        "arch": "64",
        "backup_scheduler": None,
        "category": ["general"],
        "description": f"{image.os} {image.version}, one logs in as {image.user}",
        "distribution": image.os,
        "favourite": False,
        "grantees": [],
        "image_type": "preinst",
        "install_notes": "",
        "iops": None,
        "jobs": [],
        "licenses": [],
        "media": "disk",
        "meta": {},
        "mounted_on": [],
        "name": image.name,
        "os": "linux",
        "owner": None,
        "paid": False,
        "permissions": [],
        "remote_snapshots": [],
        "resource_uri": f"{render.PREFIX}/libdrives/{image.id}/",
        "runtime": {
            "is_snapshotable": False,
            "snapshots_allocated_size": 0,
            "storage_type": render.STORAGE_TYPE,
        },
        "size": image.size_bytes,
        "snapshots": [],
        "status": "unmounted",
        "storage_type": render.STORAGE_TYPE,
        "tags": [],
        "url": "",
        "uuid": image.id,
        "version": image.version,
    }
