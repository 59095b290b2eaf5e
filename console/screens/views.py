"""Which view is drawn for a place, and which sources it needs beside the status.

A list is drawn by `view` of the module of presentation that has its name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from console import commands
from console.port import ClientError, Port
from console.presentation import overview
from console.presentation.columns import Table
from console.presentation.lines import Frame, Lines, Region, View, remark, span_width, text_of
from console.presentation.mirror import Mirror
from console.records import Detail, DriveDetail, HostDetail, ServerDetail
from console.records_billing import AccountMoney
from console.screens import objects
from console.screens.backup_sources import COUNTS
from console.screens.places import Place

if TYPE_CHECKING:
    from console.records_explain import WhyDetail
    from console.records_plans import GroupPlanRecord

    Held = Detail | WhyDetail | GroupPlanRecord | AccountMoney
    """What a page was told of its object."""

_WANTED: Mapping[str, frozenset[str]] = {
    "overview": frozenset({"hosts", "tasks", COUNTS}),
    "drives": frozenset({"drives"}),
    "hosts": frozenset({"hosts"}),
    "groups": frozenset({"hosts", "tasks"}),
    "backfill": frozenset({"hosts"}),
    "capacity": frozenset({"hosts"}),
    "audit": frozenset({"audit"}),
    "clock": frozenset({"tasks"}),
    "faults": frozenset({"hosts"}),
    "cells": frozenset({"hosts", "tasks"}),
    "tasks": frozenset({"tasks"}),
    "detail": frozenset({"hosts", "tasks"}),
    "services": frozenset({"services"}),
    "schedules": frozenset({"schedules"}),
    "backups": frozenset({"tasks", "storage", COUNTS}),
    "coverage": frozenset({"coverage", "schedules"}),
    "storage": frozenset({"storage"}),
    "billing": frozenset({"billing"}),
    "rehearsal": frozenset({"rehearsal"}),
}

DRIVES = "drives"
"""The mode in which groups are of drives."""
FOLDED = "folded"
"""The mode in which hosts are folded into cells."""


def wanted(place: Place, mirror: Mirror) -> frozenset[str]:
    """The sources (`hosts`, `drives`, `backups schedule:ID`, ...) that a place needs while it is in sight."""
    if mirror.offer is not None and place.view in mirror.offer.views:
        return frozenset()
    sources = _WANTED.get(place.view, frozenset())
    if place.view in ("backups", "calendar"):
        sources |= {f"{place.view} {place.scope or ''}".strip()}
    if place.view == "backups" and (place.scope or "").startswith("schedule:"):
        sources |= {(place.scope or "").replace(":", " ", 1)}
    about = place.cursor if place.view == "schedules" else place.scope if place.view in ("detail", "raw") else None
    if (about or "").startswith(("schedule:", "backup:")):
        sources |= {(about or "").replace(":", " ", 1)}
    if (about or "").startswith("project:"):
        sources |= {"storage"}
    if place.view == "detail" and (place.scope or "").startswith("account:"):
        sources |= {"billing"}
    if place.view == "detail" and place.scope in mirror.servers:
        sources |= {f"schedules server:{place.scope}", f"backups server:{place.scope}"}
    if place.view == "groups" and DRIVES in place.modes:
        sources |= {"drives"}
    if place.view in ("detail", "why") and place.scope is not None and _shows_drives(place.scope, mirror):
        sources |= {"drives"}
    return sources


def is_told(place: Place, mirror: Mirror) -> bool:
    """Whether the cloud has told, or refused to tell, all that a place needs beside the status and the servers."""
    return all(source in mirror.refused or _is_known(source, mirror) for source in wanted(place, mirror))


def _is_known(source: str, mirror: Mirror) -> bool:
    match source:
        case "drives":
            return mirror.are_drives_complete
        case "hosts" | "tasks" | "services" | "audit" | "billing":
            return getattr(mirror, source) is not None
        case _:
            return mirror.protection.has(source)


def _shows_drives(key: str, mirror: Mirror) -> bool:
    kind, name = objects.split_key(mirror, key)
    if kind == "host":
        return any(host.name == name and host.kind == "storage" for host in mirror.hosts or ())
    return kind == "drive"


def asking(client: Port, mirror: Mirror, place: Place) -> Callable[[], Awaitable[Held]] | None:
    """What is asked of the cloud about the object that a page shows; None where the mirror has all there is."""
    if mirror.offer is not None and place.view in mirror.offer.views:
        return None
    if place.view == "groups":
        return _asking_to_restore(client, mirror, place.scope)
    if place.view not in ("detail", "raw", "why"):
        return None
    kind, name = objects.split_key(mirror, place.scope or "")
    match kind:
        case "server" | "drive" if place.view == "why":
            return lambda: client.explain(name, decision=place.decision or None)
        case "server" if name in mirror.servers:
            return lambda: _server(client, name)
        case "account":
            return lambda: client.account_money(name)
        case "drive":
            return lambda: client.drive(name)
        case "host":
            return lambda: client.host_detail(name)
        case _:
            return None


async def _server(client: Port, server_id: str) -> ServerDetail:
    """With what it costs, where the cloud tells that."""
    found = await client.server(server_id)
    with suppress(ClientError):
        found = found._replace(cost=await client.cost(server_id))
    return found


def _asking_to_restore(client: Port, mirror: Mirror, name: str | None) -> Callable[[], Awaitable[Held]] | None:
    """Only of a group with collisions, and where the cloud has told what would restore some: only staff may ask."""
    group = next((each for each in mirror.groups or () if each.name == name), None)
    if group is None or group.fix is None:
        return None
    return lambda: client.group_plan(group.name)


def make(
    place: Place,
    mirror: Mirror,
    frame: Frame,
    details: Mapping[str, Held],
    registry: Sequence[commands.Command] = commands.COMMANDS,
) -> View:
    """The view of a place; `details` are what was asked for of single objects, `registry` the commands with their keys.

    All but the first are loaded when they are first looked at: the first paint needs none of them. What this account
    is not told of is said where its rows would be.
    """
    view = _make(place, mirror, frame, details, registry)
    # What a cloud of its kind has nothing for says nothing of the rows of another view that are on their way.
    without = mirror.offer.views if mirror.offer is not None else {}
    asked = sorted(wanted(place, mirror) & mirror.refused.keys() - without.keys())
    refused = [mirror.refused[source] for source in asked]
    if not refused or place.view not in commands.VIEWS:
        return view
    return replace(view, regions=tuple(_refused(region, refused[0], frame) for region in view.regions))


def _refused(region: Region, sentence: str, frame: Frame) -> Region:
    """The region; where nothing but a sign stands in it that its rows are still to come, the sentence."""
    if not isinstance(region, Lines) or {text_of(line).strip() for line in region.lines} != {frame.glyphs.ellipsis}:
        return region
    return replace(region, lines=[remark(frame, sentence, width=span_width(region.lines[0]))])


def _make(
    place: Place,
    mirror: Mirror,
    frame: Frame,
    details: Mapping[str, Held],
    registry: Sequence[commands.Command],
) -> View:
    key = place.scope or ""
    held = details.get(key)
    if place.modes:
        frame = frame._replace(modes=place.modes, is_folded=FOLDED in place.modes)
    if frame.past_at is not None:
        from console.presentation import moments

        if (told := moments.instead(place.view, mirror, frame)) is not None:
            return told
    lacking = DRIVES if DRIVES in place.modes else place.view
    if mirror.offer is not None and lacking in mirror.offer.views:
        from console.presentation import offered

        return offered.instead(place.view, mirror.offer.views[lacking], frame)
    match place.view:
        case "overview":
            return overview.view(mirror, frame)
        case "detail" if not key.startswith("audit:"):
            return _detail(key, mirror, frame, held)
        case "raw" | "detail":
            from console.presentation import detail

            known = held.raw if isinstance(held, ServerDetail | DriveDetail) else mirror.protection.raw(key)
            return detail.raw(key, known or objects.record_of(mirror, key), frame)
        case "why":
            from console.presentation import explain
            from console.records_explain import WhyDetail

            return explain.view(mirror, key, frame, held if isinstance(held, WhyDetail) else None, place.decision)
        case "groups":
            from console.presentation import groups
            from console.records_plans import GroupPlanRecord

            shown = groups.view(mirror, frame, held if isinstance(held, GroupPlanRecord) else None)
            return _noted(shown, mirror, frame)
        case "clock":
            from console.presentation import clock

            return _noted(clock.view(mirror, frame, commands.clock_hint()), mirror, frame)
        case "help":
            from console.presentation import help as help_view

            return help_view.view(commands.help_sections(place.scope or commands.VIEWS[0], registry), frame)
        case name:
            view: Callable[[Mirror, Frame], View] = import_module(f"console.presentation.{name}").view
            return _noted(view(mirror, frame), mirror, frame)


def _noted(view: View, mirror: Mirror, frame: Frame) -> View:
    if not mirror.notes:
        return view
    from console.presentation import offered

    return offered.with_note(view, mirror, frame)


def table_of(name: str, frame: Frame) -> Table[Any] | None:
    """The table of a view that is not in sight: which columns there are does not depend on what is in them."""
    return make(Place(name), Mirror(), frame._replace(filter="", scope=None), {}).table


def _detail(key: str, mirror: Mirror, frame: Frame, held: Held | None) -> View:
    match objects.split_key(mirror, key)[0]:
        case "drive":
            from console.presentation import drive_detail

            return drive_detail.view(mirror, key, frame, held if isinstance(held, DriveDetail) else None)
        case "schedule":
            from console.presentation import backup_detail

            return backup_detail.schedule_view(mirror, key, frame)
        case "project":
            from console.presentation import project_detail

            return project_detail.view(mirror, key, frame)
        case "account":
            from console.presentation import account_detail

            return account_detail.view(mirror, key, frame, held if isinstance(held, AccountMoney) else None)
        case "backup":
            from console.presentation import backup_detail

            return backup_detail.backup_view(mirror, key, frame)
        case "host":
            from console.presentation import host_detail

            return host_detail.view(mirror, key, frame, held if isinstance(held, HostDetail) else None)
        case _:
            from console.presentation import detail

            return detail.describe(mirror, key, frame, held if isinstance(held, ServerDetail) else None)
