"""Network interfaces of a stopped server: one more, as a form asks, or one less, after it was shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from console.commands import Command
from console.port import Port
from console.presentation import parts, plan
from console.presentation.lines import Frame, Line, Tone
from console.reasons import Item, Selection
from console.screens.asking import Ask, Given
from console.screens.dialogs import Briefing, Confirmation
from console.screens.forms import Form

if TYPE_CHECKING:
    from console.screens.acting import Host

IDS = frozenset({"server.attach_nic", "server.detach_nic"})


async def act(host: Host, client: Port, command: Command, selection: Selection) -> None:
    """Carry one of `IDS` out for the one server of the selection. May raise ClientError."""
    item = selection.items[0]
    work = _attach if command.id == "server.attach_nic" else _detach
    sentence = await work(host, client, item)
    if sentence is None:
        host.say("cancelled; nothing was sent", Tone.MUTED)
    else:
        host.say(sentence, Tone.OK)
        host.reload()


async def _attach(host: Host, client: Port, item: Item) -> str | None:
    choices = await client.network_choices(item.key)

    async def send(given: Mapping[str, Any], key: str) -> str:
        nics = await client.attach_nic(item.key, parts.nic_body(given, choices), key=key)
        return f"{item.name}: {nics[-1].mac} attached, {parts.nic_words(nics[-1])}"

    form = Form(f"Attach a NIC to {item.name}", parts.nic_fields(choices), host.frame(), send, verb="attach")
    sentence: str | None = await host.ask_dialog(form)
    return sentence


async def _detach(host: Host, client: Port, item: Item) -> str | None:
    nics = (await client.server(item.key)).nics
    if not nics:
        return f"{item.name} has no network interface"
    ask = Ask(
        f"Detach a NIC from {item.name}", "which one", host.frame(), options=lambda text: parts.nic_options(nics, text)
    )
    given: Given | None = await host.ask_dialog(ask)
    if given is None:
        return None
    nic = next(each for each in nics if each.mac == given.keys[0])
    title = f"Detach {nic.mac} from {item.name}"

    async def briefing() -> Briefing:
        def lines(frame: Frame) -> Sequence[Line]:
            told = "its mac is not given again" + ("; its address is free then" if nic.address else "")
            return [*plan.labelled(frame, "NIC", parts.nic_words(nic)), *plan.labelled(frame, "", told, Tone.MUTED)]

        return Briefing(title, "detach", 2, lines)

    def is_changed() -> bool:
        server = host.mirror.servers.get(item.key)
        return server is not None and server.version not in (None, item.version)

    dialog = Confirmation(title, briefing, host.frame(), wall_now=host.wall_now, is_changed=is_changed)
    if not await host.ask_dialog(dialog):
        return None
    await client.detach_nic(item.key, nic.mac)
    return f"{item.name}: {nic.mac} detached"
