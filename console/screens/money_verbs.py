"""Verbs of accounts: the balance that one lives on."""

from __future__ import annotations

import uuid
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from console.commands import Command
from console.port import Port
from console.presentation import money
from console.presentation.lines import Tone
from console.reasons import Selection
from console.screens import objects
from console.screens.asking import Ask, Given

if TYPE_CHECKING:
    from console.screens.acting import Host

BALANCE_MAX = Decimal(10**9)


async def act(host: Host, client: Port, _command: Command, selection: Selection) -> None:
    """Ask for a balance, and give it. May raise ClientError."""
    name = objects.split_key(host.mirror, selection.items[0].key)[1]
    billing = host.mirror.billing
    owner = next((each for each in (billing.owners if billing else ()) if each.account == name), None)
    has = "" if owner is None else f"it has {money.money(owner.balance)}; "
    given: Given | None = await host.ask_dialog(
        Ask(
            f"Give {name} a balance",
            "what it has to live on from now",
            host.frame(),
            text="" if owner is None or not owner.is_finite else f"{owner.balance:.2f}",
            is_suggestion=True,
            note=f"{has}it then starts and makes nothing that it cannot pay for five days",
        )
    )
    if given is None:
        host.say("cancelled; nothing was sent", Tone.MUTED)
        return
    amount = amount_of(given.text)
    if amount is None:
        host.say(f"{given.text} is no balance: an amount such as 100.00, from 0 to {BALANCE_MAX:,.0f}", Tone.WARN)
        return
    balance = await client.give_balance(name, amount, key=str(uuid.uuid4()))
    host.say(f"{name} has {money.money(balance)}, and is held to it", Tone.OK)
    host.reload()


def amount_of(text: str) -> Decimal | None:
    """The amount that was typed, with or without commas between thousands; None where it is none."""
    try:
        amount = Decimal(text.strip().replace(",", ""))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount <= BALANCE_MAX else None
