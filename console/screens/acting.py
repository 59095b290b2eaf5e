"""Verbs: from the menu behind `x` to the request and what became of it.

Nothing here decides whether a verb makes sense; the registry says why one is off, the backend's preview says what it
would do. A verb of several servers is previewed for each and sent for each, one after the other, and the outcome
counts. Every request carries an idempotency key and the version that its plan was made for, and that of a single object
its plan as well (`agreeing`).
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from textual.screen import Screen

from console import commands
from console.commands import Command, reason_off, verbs_for
from console.port import ClientError, Port
from console.presentation import plan, together
from console.presentation.lines import Frame, Line, Span, Tone, fit_sentence, wrap
from console.presentation.mirror import Mirror
from console.reasons import Item, Selection
from console.records import OutcomeRecord, PlanRecord
from console.screens import (
    backup_verbs,
    cell_verbs,
    clock_verbs,
    clone_verbs,
    create_verbs,
    drive_verbs,
    group_verbs,
    host_verbs,
    money_verbs,
    nic_verbs,
    objects,
    server_verbs,
    shaping_verbs,
    snapshot_verbs,
)
from console.screens.agreeing import STALE, confirmed
from console.screens.dialogs import Briefing, Choice, Confirmation, Menu
from console.screens.grace import Grace, Holding

PREVIEWS_MAX = 20
"""Plans shown in one confirmation; more servers than that are counted, not previewed."""

_ACTIONS = {
    "server.start": "start",
    "server.start_apart": "start",
    "server.start_away": "start",
    "server.shutdown": "shutdown",
    "server.stop": "stop",
    "server.reboot": "reboot",
    "server.delete": "delete",
    "server.delete_all": "delete",
}
_FIELDS: Mapping[str, Mapping[str, Any]] = {"server.delete_all": {"with_drives": True}}
"""What a verb sends with its action."""
_VERBS = {"start": "start", "shutdown": "shut down", "stop": "power off", "reboot": "reboot", "delete": "delete"}
_VERBS_OF = {
    "server": clone_verbs.act,
    "drive": drive_verbs.act,
    "host": host_verbs.act,
    "group": group_verbs.act,
    "account": money_verbs.act,
}
"""What carries out the verbs of each kind that are not done here."""
_VERBS_WITH_FORMS = {
    id: module.act for module in (shaping_verbs, nic_verbs, snapshot_verbs, backup_verbs) for id in sorted(module.IDS)
}
MENU_NOTES = ("tier 1 acts at once   2 asks   3 asks for the name",)


class Host(Protocol):
    """What acting needs of the screen that it acts for."""

    @property
    def mirror(self) -> Mirror: ...
    @property
    def client(self) -> Port | None: ...
    def frame(self) -> Frame: ...
    def wall_now(self) -> datetime: ...
    def selection(self) -> Selection: ...
    def say(self, sentence: str, tone: Tone = Tone.TEXT) -> None: ...
    def copy(self, text: str) -> None: ...
    async def ask_dialog(self, dialog: Screen[Any]) -> Any: ...
    def reload(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Target:
    item: Item
    avoid: tuple[str, ...] | None
    """None: what it was last asked to avoid."""


class Acting:
    """Runs one verb at a time, in a worker of the screen.

    `confirms_all` asks also before a verb of tier 1 that would act at once; one that asks for something has been asked.
    What can be taken back waits in `grace` after it was confirmed.
    """

    def __init__(self, host: Host, grace: Grace, *, confirms_all: bool = False) -> None:
        self._host = host
        self._confirms_all = confirms_all
        self.grace = grace

    async def run_menu(self) -> None:
        """Show the verbs for the selection; do, or copy, what is chosen."""
        selection = self._host.selection()
        verbs = verbs_for(selection)
        items = [_menu_item(command, selection, self._host.frame()) for command in verbs]
        if not items:
            self._host.say("nothing here can be acted on")
            return
        notes = [*MENU_NOTES]
        if self.grace.seconds > 0 and any(command.can_undo for command in verbs):
            notes.append(f"u takes back for {self.grace.seconds:g} s what can be taken back")
        if selection.hidden:
            rows = f"{selection.hidden} marked row{'s' if selection.hidden != 1 else ''}"
            notes.insert(0, f"{rows} hidden by the filter: left out, still marked")
        frame = self._host.frame()
        title = _menu_title(selection, verbs, "" if selection.is_mixed else frame.cloud)
        dialog = Menu(title, items, frame, notes=notes, can_copy=True)
        choice: Choice | None = await self._host.ask_dialog(dialog)
        if choice is None:
            return
        command = verbs[choice.index]
        if choice.is_copy:
            self._copy_request(command, selection)
        else:
            await self.run(command, selection)

    async def run(self, command: Command, selection: Selection) -> None:
        """Do a verb of the menu; a failure is a sentence in the status row."""
        if (reason := reason_off(command, selection)) is not None:
            self._host.say(f"{command.title.removesuffix(' …')} is off: {reason}", Tone.WARN)
            return
        client = self._host.client
        if client is None:
            self._host.say("not connected yet", Tone.WARN)
            return
        if not await self._is_wanted(command, selection):
            self._host.say("cancelled; nothing was sent", Tone.MUTED)
            return
        title = command.title.removesuffix(" …")
        words = f"{title} {_subject(_on(command, selection))}".rstrip()
        if cloud := self._host.frame().cloud:
            # It may be sent, or taken back, while another one is looked at.
            words = f"{words} of {cloud}"
        if command.id in server_verbs.RESTARTS and not await self.grace.hold(words):
            return
        grace = self.grace if command.can_undo else None
        name = _name_to_type(command, selection) if self._host.mirror.is_production else None
        try:
            host = Holding(self._host, grace, words, name_to_type=name)
            await Acting(host, self.grace)._do(client, command, selection)
        except ClientError as error:
            self._host.say(f"{title}: {error.sentence}", Tone.CRIT)

    async def _do(self, client: Port, command: Command, selection: Selection) -> None:
        match command.id:
            case id if id in backup_verbs.CREATING:
                await backup_verbs.create(self._host, client, command)
            case id if not command.needs_row:
                await create_verbs.act(self._host, client, id.partition(".")[0])
            case id if id in _ACTIONS:
                await self._act_on_servers(client, command, selection)
            case id if id in server_verbs.RESTARTS:
                await server_verbs.act(self._host, client, command, selection)
            case id if id in _VERBS_WITH_FORMS:
                await _VERBS_WITH_FORMS[id](self._host, client, command, selection)
            case id if id in cell_verbs.STATES:
                await cell_verbs.act(self._host, client, command, selection)
            case "cell.ask":
                await self._ask(client, selection)
            case id if id in drive_verbs.OF_SERVERS:
                await drive_verbs.act_for_server(self._host, client, command, selection)
            case id if id in clock_verbs.IDS:
                await clock_verbs.act(self._host, self, command)
            case "faults.end":
                await clock_verbs.end_faults(self._host, client, command)
            case _ if command.verb_of in _VERBS_OF:
                await _VERBS_OF[command.verb_of](self._host, client, command, selection)

    async def _is_wanted(self, command: Command, selection: Selection) -> bool:
        """Whether a verb without a plan of its own is meant; of tier 1 only where the operator wants to be asked."""
        asks = command.id == "clock.manual" or (self._confirms_all and command.impact == 1)
        if not asks or command.title.endswith("…"):
            return True
        names = "" if command.verb_of == "cloud" else ", ".join(item.name for item in selection.items)
        title = f"{command.title.capitalize()}: {names}" if names else command.title.capitalize()

        async def ask() -> Briefing:
            return Briefing(
                title,
                command.title,
                command.impact,
                lambda frame: [line for head, text in words for line in _fact(head, text, Tone.TEXT, frame)],
            )

        words = [(head, text) for head, text in (("WHAT", command.help), ("COST", command.cost)) if text]
        dialog = Confirmation(title, ask, self._host.frame(), wall_now=self._host.wall_now, is_changed=lambda: False)
        return bool(await self._host.ask_dialog(dialog))

    async def advance(self, seconds: int) -> None:
        """Advance the simulated clock."""
        client = self._host.client
        if client is None:
            self._host.say("not connected yet", Tone.WARN)
            return
        try:
            clock = await client.advance(seconds)
        except ClientError as error:
            self._host.say(f"advance: {error.sentence}", Tone.CRIT)
        else:
            self._host.say(f"advanced by {seconds} s to {clock.now:%H:%M:%S}")

    async def set_clock(self, mode: str, rate: float | None) -> None:
        """Set the simulated clock's mode."""
        client = self._host.client
        if client is None:
            self._host.say("not connected yet", Tone.WARN)
            return
        try:
            clock = await client.patch_clock(mode=mode, rate=rate)
        except ClientError as error:
            self._host.say(f"clock: {error.sentence}", Tone.CRIT)
        else:
            self._host.say(f"clock: {clock.mode}" + (f" x{clock.rate:g}" if clock.mode == "rate" else ""))

    # ------------------------------------------------------------------------------------------------------ servers

    async def _act_on_servers(self, client: Port, command: Command, selection: Selection) -> None:
        action, fields = _ACTIONS[command.id], _FIELDS.get(command.id, {})
        items = [item for item in _on(command, selection).items if item.kind == "server"]
        left_out = commands.left_out(command, selection)
        away: tuple[str, ...] | None = None
        if command.id == "server.start_away":
            away = await clone_verbs.start_away(self._host, items)
            if away is None:
                self._host.say("cancelled; nothing was sent", Tone.MUTED)
                return
        is_apart = command.id == "server.start_apart"
        targets = [_Target(item, objects.siblings(self._host.mirror, item.key) if is_apart else away) for item in items]
        plans: dict[str, PlanRecord] = {}

        async def ask() -> Briefing:
            plans.clear()
            for target in targets[:PREVIEWS_MAX]:
                item = target.item
                found = await client.preview("server", item.key, action, avoid=target.avoid, **fields)
                plans[item.key] = plan.with_names(found, self._host.mirror)
            return self._briefing(command, action, targets, left_out, plans)

        def is_changed() -> bool:
            servers = self._host.mirror.servers
            return any(
                each.version is not None and (key not in servers or servers[key].version not in (None, each.version))
                for key, each in plans.items()
            )

        async def send() -> bool:
            await self._send(client, action, targets, plans, fields)
            return True

        title = f"{_VERBS[action].capitalize()} {_names(targets)}"
        if await confirmed(self._host, title, ask, send, is_changed=is_changed) is None:
            self._host.say("cancelled; nothing was sent", Tone.MUTED)

    async def _send(
        self,
        client: Port,
        action: str,
        targets: Sequence[_Target],
        plans: Mapping[str, PlanRecord],
        fields: Mapping[str, Any],
    ) -> None:
        problems: list[str] = []
        outcome: OutcomeRecord | None = None
        for number, target in enumerate(targets, start=1):
            item = target.item
            if len(targets) > 1:
                self._host.say(f"{_VERBS[action]}: {number} of {len(targets)}", Tone.ACCENT)
            made_for = plans.get(item.key)
            # Each of several servers was previewed as things are; the first one changes them for the next.
            token = made_for.token if made_for is not None and len(targets) == 1 else None
            try:
                outcome = await client.act(
                    "server",
                    item.key,
                    action,
                    if_version=made_for.version if made_for else item.version,
                    plan=token,
                    avoid=target.avoid,
                    key=uuid.uuid4().hex,
                    **fields,
                )
            except ClientError as error:
                if token is not None and error.code == STALE:
                    raise
                problems.append(f"{item.name}: {error.sentence}")
        done = len(targets) - len(problems)
        if not problems and len(targets) == 1 and outcome is not None:
            self._host.say(_outcome_sentence(action, targets[0].item, outcome), Tone.OK)
        elif not problems:
            self._host.say(f"{_VERBS[action]}: {done} of {len(targets)} accepted", Tone.OK)
        else:
            start = f"{done} of {len(targets)} accepted; " if len(targets) > 1 else ""
            self._host.say(f"{_VERBS[action]}: {start}{problems[0]}", Tone.CRIT)

    def _briefing(
        self,
        command: Command,
        action: str,
        targets: Sequence[_Target],
        left_out: Sequence[tuple[str, str]],
        plans: dict[str, PlanRecord],
    ) -> Briefing:
        servers = self._host.mirror.servers
        verb = _VERBS[action]
        allowed = [each for each in plans.values() if each.is_allowed]
        problem = None
        if not allowed:
            refused = next(iter(plans.values()), None)
            problem = (refused.problem if refused else None) or "it is refused"
        is_single = len(targets) == 1
        title = f"{verb.capitalize()} {_names(targets)}"
        if is_single and plans:
            title = plan.plan_title(next(iter(plans.values())), servers.get(targets[0].item.key)) or title

        def lines(frame: Frame) -> list[Line]:
            made: list[Line] = together.off(left_out, frame) if is_single else []
            if not is_single:
                made += together.lines("server", plans, len(targets), left_out, frame)
            for key, each in together.first(plans):
                if not is_single:
                    name = servers[key].title if key in servers else key
                    made += [(Span(""),), (Span(fit_sentence(name, frame.width, frame.glyphs), Tone.ACCENT),)]
                made += plan.plan_lines(each, servers.get(key), frame)
            return [*made, *together.rest(plans)]

        to_type = None
        if command.impact >= 3:
            to_type = targets[0].item.name if is_single else f"{len(targets):,}"
        return Briefing(title, verb, command.impact, lines, problem, to_type)

    # -------------------------------------------------------------------------------------------------------- cells

    async def _ask(self, client: Port, selection: Selection) -> None:
        for item in selection.items:
            cell = await client.ask_cell(item.name)
            self._host.say(f"{cell.name}: {cell.state}  {cell.reason}".rstrip())

    # --------------------------------------------------------------------------------------------------------- copy

    def _copy_request(self, command: Command, selection: Selection) -> None:
        item = selection.items[0] if selection.items else None
        if selection.offer is not None:
            self._host.say("there is no request to copy: this cloud speaks another API than ours", Tone.WARN)
        elif not command.needs_row:
            self._host.copy(objects.curl_of_creation(command.id.partition(".")[0]))
        elif command.id in _ACTIONS and item is not None:
            avoid = objects.siblings(self._host.mirror, item.key) if command.id == "server.start_apart" else ()
            fields = _FIELDS.get(command.id, {})
            self._host.copy(objects.curl_of_action(item.key, _ACTIONS[command.id], avoid, **fields))
        elif command.id in server_verbs.RESTARTS and item is not None:
            wanted = server_verbs.RESTARTS[command.id]
            self._host.copy(objects.curl_of_action(item.key, "edit", restarts=wanted))
        elif command.id in clone_verbs.ACTIONS and item is not None:
            action = clone_verbs.ACTIONS[command.id]
            self._host.copy(
                objects.curl_of_action(item.key, action, clone_verbs.avoided(self._host.mirror, item.key, action))
            )
        elif (command.id in _VERBS_WITH_FORMS or command.verb_of == "account") and item is not None:
            self._host.copy(objects.curl_of_form(self._host.mirror, item.key, command.id))
        elif command.verb_of in ("drive", "host", "group") and item is not None:
            action = command.id.partition(".")[2].replace("rename", "edit")
            self._host.copy(objects.curl_of_verb(self._host.mirror, item.key, action))
        elif command.id in cell_verbs.STATES and item is not None:
            self._host.copy(objects.curl_of_cell(item.name, cell_verbs.STATES[command.id]))
        elif (curl := objects.curl_of_clock(command.id)) is not None:
            self._host.copy(curl)
        else:
            self._host.say("there is no request to copy for this")

    async def run_copy(self, key: str, row: str) -> None:
        """Ask what of a row to copy, and copy it."""
        from console.screens import copying

        items = copying.items(self._host.mirror, key, row)
        glyphs = self._host.frame().glyphs
        shown = [
            plan.MenuItem(item.letter, item.title, fit_sentence(item.text, 24, glyphs), 0, item.reason)
            for item in items
        ]
        item = objects.item_of(self._host.mirror, key)
        title = f"{item.name if item is not None else key}   copy"
        choice: Choice | None = await self._host.ask_dialog(Menu(title, shown, self._host.frame()))
        if choice is not None:
            self._host.copy(items[choice.index].text)


def _fact(head: str, sentence: str, tone: Tone, frame: Frame) -> list[Line]:
    rows = enumerate(wrap(sentence, frame.width - 13))
    return [(Span(f"{'' if number else head:<12} ", Tone.MUTED), Span(row, tone)) for number, row in rows]


def _only(selection: Selection, item: Item) -> Selection:
    return selection._replace(items=(item,), hidden=0)


def _on(command: Command, selection: Selection) -> Selection:
    """The rows that a verb acts on: those of which none says why it is off."""
    items = tuple(item for item in selection.items if reason_off(command, _only(selection, item)) is None)
    return selection._replace(items=items)


def _names(targets: Sequence[_Target]) -> str:
    return targets[0].item.name if len(targets) == 1 else f"{len(targets):,} servers"


def _subject(selection: Selection) -> str:
    """What a verb is about, in a word or two."""
    if len(selection.items) == 1:
        return selection.items[0].name
    return f"{len(selection.items):,} {selection.kind or 'object'}s" if selection.items else ""


def _name_to_type(command: Command, selection: Selection) -> str | None:
    """What is typed on production before a verb that disturbs anybody: the name, or how many are acted on."""
    if command.impact < 2 or not selection.items:
        return None
    items = _on(command, selection).items
    return items[0].name if len(items) == 1 else f"{len(items):,}"


def _menu_item(command: Command, selection: Selection, frame: Frame) -> plan.MenuItem:
    title = command.title.replace("…", frame.glyphs.ellipsis)
    verb = selection.offer.verbs.get(command.id) if selection.offer is not None else None
    cost = verb.cost if verb is not None else command.cost
    return plan.MenuItem(command.keys[0], title, cost, command.impact, reason_off(command, selection))


def _menu_title(selection: Selection, verbs: Sequence[Command], cloud: str) -> str:
    """What it is about, and in which of several clouds: each of them may have a web-01."""
    of = f" of {cloud}" if cloud else ""
    if all(command.verb_of == "cloud" for command in verbs):
        # Of a group, say: what can be done is done to the cloud, and a name would promise otherwise.
        return " ".join(filter(None, ("the cloud", cloud))) + "   actions"
    if len(selection.items) == 1:
        return f"{selection.items[0].name}{of}   actions"
    if not selection.items:
        return f"{selection.view}   actions"
    return f"{len(selection.items):,} {selection.kind or 'object'}s{of}   actions"


def _outcome_sentence(action: str, item: Item, outcome: OutcomeRecord) -> str:
    decision = outcome.decision
    if decision is None:
        return f"{item.name}: {_VERBS[action]} accepted"
    parts = [f"{item.name}: starting on {decision.host}"]
    if decision.stops:
        parts.append(f"stops {len(decision.stops)}")
    if decision.shrinks:
        parts.append(f"shrinks {decision.shrinks}")
    if decision.waits:
        parts.append("waits for its room")
    if decision.avoided:
        parts.append(f"shares the host with {len(decision.avoided)} it avoids")
    return ", ".join(parts)
