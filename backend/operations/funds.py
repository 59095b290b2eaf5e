"""Whether an account can pay for what it is about to start or make. See `billing.check_funds`."""

from __future__ import annotations

from backend.cloud.model import Size
from backend.operations import Cloud, billing
from backend.store import ServerEntry


async def check_start(cloud: Cloud, entry: ServerEntry) -> None:
    """Its owner pays for a server, whoever starts it. Raises NoFunds."""
    if entry.owner not in await billing.finite_accounts(cloud):
        return
    known = await cloud.store.cloud_read(lambda tx: tx.intervals_of(entry.id))
    cpu_type = known[-1].cpu_type if known else cloud.settings.default_cpu_type
    more = billing.of_server(entry.size, is_backfilling=entry.is_backfilling, cpu_type=cpu_type)
    await billing.check_funds(cloud, entry.owner, "start the server and run it", more)


async def check_new(
    cloud: Cloud, account: str, what: str, *, size: Size | None = None, is_backfilling: bool = False, storage: int = 0
) -> None:
    """With a server of that size running, where it is to be started at once. Raises NoFunds."""
    more = {} if size is None else billing.of_server(size, is_backfilling=is_backfilling)
    await billing.check_funds(cloud, account, f"create {what} and keep it", {**more, "dssd": storage})
