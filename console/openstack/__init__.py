"""A real OpenStack behind the console's port: `open_cloud` is the way in, imported when somebody asks for one.

    login    clouds.yaml and tokens, by openstacksdk and keystoneauth, in threads
    compute  one request: tokens, microversions, faults, Retry-After
    pace     how gently: a budget of requests, slower when idle, none when hidden
    wire     Nova's JSON to records                      known    what several answers add up to: zones, UNKNOWN rows
    polling  what is asked at each look                  offer    what this kind of cloud has nothing for
    client   the port

Imports point up this list: client -> polling -> (known | compute) -> (wire | pace | login).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.audit import AuditLog
    from console.port import Port

__all__ = ("open_cloud",)


def open_cloud(
    name: str,
    *,
    requests_max: int,
    wall_now: Callable[[], datetime],
    logs: Callable[[str], AuditLog] | None = None,
    is_production: Callable[[str], bool] = lambda _cloud_id: False,
) -> Callable[[], Awaitable[Port]]:
    """A factory of the client of a cloud of `clouds.yaml`; nothing is asked before it is awaited.

    `requests_max` in a minute; `logs` and `is_production` as of the client of our own clouds.

    Raises:
        login.CloudProblem: there is no such cloud, the libraries are missing, or what is written cannot be read.
    """
    from console.openstack.login import login_of

    login = login_of(name)
    verify = login.verify()
    client: Port | None = None

    async def factory() -> Port:
        nonlocal client
        if client is None:
            import asyncio

            # A screen that is there already stays awake while this is loaded.
            await asyncio.to_thread(_load)
            import httpx

            from console.openstack.client import OpenStackClient
            from console.openstack.compute import Compute
            from console.openstack.pace import LoopTimer, Pace

            pace = Pace(requests_max, LoopTimer())
            compute = Compute(httpx.AsyncClient(verify=verify), login, pace)
            client = OpenStackClient(compute, login, pace, wall_now=wall_now, logs=logs, is_production=is_production)
        return client

    return factory


def _load() -> None:
    import httpx  # noqa: F401
    import orjson  # noqa: F401

    from console.openstack import client  # noqa: F401
