"""`/jobs/`: what takes a while, and how far it is.

Source: CloudSigma API 2.0, "Jobs".
"""

from __future__ import annotations

from starlette.responses import Response

from backend.cloud.errors import NotFound
from backend.dialects import wire
from backend.dialects.cloudsigma import query, render
from backend.dialects.cloudsigma.schema import JOBS
from backend.dialects.cloudsigma.table import Call
from backend.operations import jobs as operations


async def list_detail(call: Call) -> Response:
    """The newest first. The plain list is as detailed."""
    directory = await call.directory()
    found = await operations.list_jobs(call.cloud, call.account)
    return await query.page_of(call, JOBS, [render.job_detail(job, directory) for job in found])


async def get(call: Call) -> Response:
    directory = await call.directory()
    for job in await operations.list_jobs(call.cloud, call.account):
        if directory.job_id(job.operation, job.made_id) == call.uuid:
            return wire.JsonAnswer(render.job_detail(job, directory))
    raise NotFound("job", call.uuid)
