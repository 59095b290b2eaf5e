"""Accounts: who may do what."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from backend.cloud.errors import Forbidden, OutcomeUnknown, Unreachable
from backend.cloud.model import Account
from backend.operations import Cloud, RequestKey, editing, repeats
from backend.store import CloudTransaction, Project


async def list_accounts(cloud: Cloud, actor: Account) -> list[Account]:
    """By name. Raises Forbidden for all but staff."""
    if not actor.is_staff:
        raise Forbidden("list accounts", "it needs a staff account")
    return sorted((await cloud.accounts()).values(), key=lambda account: account.name)


async def list_projects(cloud: Cloud, actor: Account) -> list[Project]:
    """By name: those whose objects the account may see."""
    found = await cloud.store.cloud_read(lambda tx: tx.projects())
    return [project for project in found if actor.may_see(project.id)]


async def allow_backfilling(
    cloud: Cloud, actor: Account, name: str, *, may: bool, request: RequestKey | None = None
) -> Account:
    """Grant or withdraw the right to backfilling servers. Raises Forbidden, NotFound."""
    if not actor.is_staff:
        raise Forbidden("change an account", "it needs a staff account")
    now = cloud.clock.now()
    before = await cloud.account(name)

    def save(tx: CloudTransaction) -> Account:
        return tx.save_account(before, replace(before, may_backfill=may), at=now, actor=actor.name)

    after = await cloud.store.cloud_write(repeats.once(cloud, request, save, again=lambda tx, _: before))
    cloud.forget_accounts()
    if not after.may_backfill:
        # A cell that does not answer hears of it when it returns.
        for cell in cloud.store.cell_names:
            with contextlib.suppress(Unreachable, OutcomeUnknown):
                await cloud.store.cell_write(cell, lambda tx: editing.forget_restarts(tx, [name], now=now))
    return after
