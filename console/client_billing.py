"""What is asked of a cloud about the money of one account or server: a part of the client."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from console import wire_billing
from console.client_backups import BackupRequests, quoted
from console.records_billing import AccountMoney, Billing, CostRecord, SubscriptionOffer, SubscriptionRecord

LEDGER_ROWS = 500
"""So many rows of a ledger are read at once: the newest."""


class BillingRequests(BackupRequests):
    """Requests about money. Every method raises ClientError and nothing else."""

    async def billing(self) -> Billing:
        """What is burnt now, and what this month comes to, of all accounts that one may see."""
        return await self.read("/billing", wire_billing.billing)

    async def account_money(self, name: str) -> AccountMoney:
        """What an account has bought, and the newest rows of its ledger."""
        asked = {"account": name}
        subscriptions = await self.read("/billing/subscriptions", wire_billing.subscriptions, asked)
        rows, total = await self.read("/billing/ledger", wire_billing.ledger, {**asked, "limit": LEDGER_ROWS})
        return AccountMoney(name, subscriptions, rows, total)

    async def cost(self, server_id: str) -> CostRecord:
        """What a server costs now, and came to this month."""
        return await self.read(f"/billing/servers/{quoted(server_id)}", wire_billing.cost)

    async def offer_subscription(self, fields: Mapping[str, Any]) -> SubscriptionOffer:
        """What a subscription would cost. Buys nothing."""
        return await self.send("POST", "/billing/subscriptions", wire_billing.offer, {**fields, "preview": True})

    async def buy_subscription(
        self, fields: Mapping[str, Any], *, key: str | None = None
    ) -> tuple[SubscriptionRecord, ...]:
        """Buy one, or extend one. Returns what was bought."""
        return await self.send("POST", "/billing/subscriptions", wire_billing.subscriptions, fields, key=key)

    async def give_balance(self, name: str, amount: Decimal, *, key: str | None = None) -> Decimal:
        """Give an account a balance, which it is held to from now on. Returns what it has."""
        path = f"/accounts/{quoted(name)}/balance"
        return await self.send("PUT", path, wire_billing.given, {"balance": f"{amount:f}"}, key=key)
