"""Which function draws which view, and which sources it needs beside the status. A new view is a line here."""

from collections.abc import Callable, Mapping

from console import commands
from console.presentation import backfill, cells, detail, events, groups, overview, servers, tasks
from console.presentation import help as help_view
from console.presentation.lines import Frame, View
from console.presentation.mirror import Mirror
from console.records import ServerDetail
from console.screens import objects
from console.screens.places import Place

_LISTS: Mapping[str, Callable[[Mirror, Frame], View]] = {
    "overview": overview.view,
    "servers": servers.view,
    "groups": groups.view,
    "backfill": backfill.view,
    "cells": cells.view,
    "tasks": tasks.view,
    "events": events.view,
}
_WANTED: Mapping[str, frozenset[str]] = {
    "overview": frozenset({"hosts", "tasks"}),
    "groups": frozenset({"hosts"}),
    "backfill": frozenset({"hosts"}),
    "cells": frozenset({"hosts", "tasks"}),
    "tasks": frozenset({"tasks"}),
    "detail": frozenset({"hosts", "tasks"}),
}


def wanted(view: str) -> frozenset[str]:
    """The sources (`hosts`, `tasks`) that are polled while the view is in sight."""
    return _WANTED.get(view, frozenset())


def make(place: Place, mirror: Mirror, frame: Frame, details: Mapping[str, ServerDetail]) -> View:
    """The view of a place; `details` are what was asked for of single servers."""
    key = place.scope or ""
    held = details.get(key)
    match place.view:
        case "detail":
            return detail.describe(mirror, key, frame, held)
        case "raw":
            return detail.raw(key, held.raw if held is not None and held.raw else objects.record_of(mirror, key), frame)
        case "help":
            return help_view.view(commands.help_sections(place.scope or commands.VIEWS[0]), frame)
        case name:
            return _LISTS[name](mirror, frame)
