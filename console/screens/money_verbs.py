"""Verbs of accounts: the balance that one lives on, and what is bought ahead."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from console.commands import Command
from console.port import Port
from console.presentation import money, subscribing
from console.presentation.creating import Field
from console.presentation.lines import Tone
from console.reasons import Selection
from console.screens import objects
from console.screens.asking import Ask, Given
from console.screens.dialogs import Briefing, Confirmation
from console.screens.forms import Form, Lines

if TYPE_CHECKING:
    from console.screens.acting import Host

BALANCE_MAX = Decimal(10**9)


async def act(host: Host, client: Port, command: Command, selection: Selection) -> None:
    """Ask what is needed, and do it. May raise ClientError."""
    name = objects.split_key(host.mirror, selection.items[0].key)[1]
    match command.id:
        case "account.subscribe":
            await _buy(host, client, name, f"Subscribe for {name}", subscribing.fields())
        case "account.extend":
            bought = subscribing.last_of_each((await client.account_money(name)).subscriptions)
            if bought:
                fields = subscribing.extending_fields(bought, host.frame().now)
                await _buy(host, client, name, f"Extend a subscription of {name}", fields)
            else:
                host.say(f"{name} has no subscription that could be extended; s buys one", Tone.WARN)
        case _:
            await _give_balance(host, client, name)


async def _buy(host: Host, client: Port, name: str, title: str, fields: Sequence[Field]) -> None:
    def body_of(values: Mapping[str, Any]) -> dict[str, Any]:
        return {"account": name, **subscribing.sent(values)}

    async def live(values: Mapping[str, Any]) -> Lines:
        found = await client.offer_subscription(body_of(values))
        return lambda frame: subscribing.lines(found, host.frame().now, frame)

    async def send(values: Mapping[str, Any], key: str) -> str:
        (first, *others) = await client.buy_subscription(body_of(values), key=key)
        what = money.what_text(first.resource, sum(each.amount for each in (first, *others)))
        price = sum((each.price for each in others), first.price)
        return f"{name} has subscribed {what}, for {money.money(price)}"

    def confirm(values: Mapping[str, Any]) -> Confirmation:
        async def ask() -> Briefing:
            return Briefing(title, "buy", 2, await live(values))

        return Confirmation(title, ask, host.frame(), wall_now=host.wall_now, is_changed=lambda: False)

    form = Form(title, fields, host.frame(), send, verb="go on", confirm=confirm, live=live)
    sentence: str | None = await host.ask_dialog(form)
    if sentence is None:
        host.say("cancelled; nothing was bought", Tone.MUTED)
    else:
        host.say(sentence, Tone.OK)
        host.reload()


async def _give_balance(host: Host, client: Port, name: str) -> None:
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
            mistake_of=_mistake_of,
            note=f"{has}it then starts and makes nothing that it cannot pay for five days",
        )
    )
    if given is None:
        host.say("cancelled; nothing was sent", Tone.MUTED)
        return
    amount = amount_of(given.text)
    assert amount is not None, "the line stays until it is one"
    balance = await client.give_balance(name, amount, key=str(uuid.uuid4()))
    host.say(f"{name} has {money.money(balance)}, and is held to it", Tone.OK)
    host.reload()


def _mistake_of(text: str) -> str:
    is_wrong = amount_of(text) is None
    return f"{text} is no balance: an amount such as 100.00, from 0 to {BALANCE_MAX:,.0f}" if is_wrong else ""


def amount_of(text: str) -> Decimal | None:
    """The amount that was typed, with or without commas between thousands; None where it is none."""
    try:
        amount = Decimal(text.strip().replace(",", ""))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount <= BALANCE_MAX else None
