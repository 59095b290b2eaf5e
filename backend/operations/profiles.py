"""What an account says of itself, and how far the cloud trusts it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from backend.cloud.errors import Forbidden, Invalid
from backend.cloud.model import Account
from backend.cloud.networks import ACCOUNT_STATES, Profile
from backend.operations import Cloud, RequestKey, repeats
from backend.store import CloudTransaction


async def get_profile(cloud: Cloud, account: Account) -> Profile:
    return await cloud.store.cloud_read(lambda tx: tx.profile(account))


async def edit_profile(
    cloud: Cloud, account: Account, *, attributes: Mapping[str, Any], meta: Mapping[str, str] | None
) -> Profile:
    """The account's own; what is not in `attributes` stays."""
    now = cloud.clock.now()

    def edit(tx: CloudTransaction) -> Profile:
        before = tx.profile(account)
        after = replace(
            before,
            attributes={**before.attributes, **attributes},
            meta=before.meta if meta is None else meta,
        )
        return tx.save_profile(before, after, at=now, actor=account.name)

    return await cloud.store.cloud_write(edit)


async def set_account_state(
    cloud: Cloud, actor: Account, name: str, state: str, *, request: RequestKey | None = None
) -> Profile:
    """How far an account is trusted. Running servers feel it at once. Raises Forbidden, Invalid, NotFound.

    **Source**: CloudSigma API 2.0, "Default restrictions": they are adjusted without a power cycle.
    """
    if not actor.is_staff:
        raise Forbidden("change an account", "it needs a staff account")
    if state not in ACCOUNT_STATES:
        raise Invalid("state", f"must be one of {', '.join(ACCOUNT_STATES)}")
    account = await cloud.account(name)
    now = cloud.clock.now()

    def save(tx: CloudTransaction) -> Profile:
        before = tx.profile(account)
        return tx.save_profile(before, replace(before, state=state), at=now, actor=actor.name)

    return await cloud.store.cloud_write(repeats.once(cloud, request, save, again=lambda tx, _: tx.profile(account)))
