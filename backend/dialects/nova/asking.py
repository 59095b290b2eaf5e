"""The query of a list of servers: which parameters there are, who may use them, and what servers are held against.

**Source**: `nova.api.openstack.compute.servers` and its query schema; the recorded answers.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from backend.dialects.nova import shapes
from backend.dialects.nova.render import NOTES, OTHER_STATUSES, STATUSES, Shown, status_of
from backend.dialects.nova.table import Call, bad_request, not_allowed
from backend.dialects.openstack import id_text

LIMIT_MAX = 1000
_DIGITS_MAX = 18

SORT_KEYS = (
    "access_ip_v4", "access_ip_v6", "auto_disk_config", "availability_zone", "config_drive", "created_at",
    "display_description", "display_name", "host", "hostname", "image_ref", "instance_type_id", "kernel_id", "key_name",
    "launch_index", "launched_at", "locked_by", "node", "power_state", "progress", "project_id", "ramdisk_id",
    "root_device_name", "task_state", "terminated_at", "updated_at", "user_id", "uuid", "vm_state", "architecture",
    "cell_name", "cleaned", "default_ephemeral_device", "default_swap_device", "deleted", "deleted_at",
    "disable_terminate", "ephemeral_gb", "ephemeral_key_uuid", "id", "key_data", "launched_on", "locked", "memory_mb",
    "os_type", "reservation_id", "root_gb", "shutdown_terminate", "user_data", "vcpus", "vm_mode",
)  # fmt: skip
"""In the order in which a refusal names them."""

_PAGING = ("limit", "marker", "sort_key", "sort_dir")

_OF_ALL = {
    "all_tenants": 1, "changes-before": 66, "changes-since": 1, "flavor": 1, "image": 1, "ip": 1, "ip6": 5,
    "locked": 73, "name": 1, "not-tags": 26, "not-tags-any": 26, "reservation_id": 1, "status": 1, "tags": 26,
    "tags-any": 26,
}  # fmt: skip
"""What everybody may ask for, and from which microversion on."""

_OF_ALL_SINCE_83 = (
    "availability_zone", "config_drive", "created_at", "key_name", "launched_at", "power_state", "progress",
    "task_state", "terminated_at", "user_id", "vm_state",
)  # fmt: skip
_OF_ADMINS = (
    *_OF_ALL_SINCE_83, "access_ip_v4", "access_ip_v6", "auto_disk_config", "deleted", "description",
    "display_description", "display_name", "host", "hostname", "image_ref", "instance_type_id", "kernel_id",
    "launch_index", "locked_by", "node", "project_id", "ramdisk_id", "root_device_name", "soft_deleted",
    "tenant_id", "uuid",
)  # fmt: skip

_KNOWN = frozenset((*_PAGING, *_OF_ALL, *_OF_ADMINS))

_DIGITS: shapes.Schema = {"type": "string", "pattern": "^[0-9]*$"}
_SORTING: shapes.Schema = {
    "type": "object",
    "properties": {
        "limit": _DIGITS,
        "sort_key": {"enum": SORT_KEYS},
        "sort_dir": {"enum": ("asc", "desc")},
    },
}

Passes = Callable[[Shown], bool]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a list was asked for."""

    limit: int
    """0 to LIMIT_MAX."""
    marker: str | None
    sort: tuple[tuple[str, bool], ...]
    """Sort keys, each with whether it descends."""
    projects: frozenset[str] | None
    """None: all. As the client wrote them."""
    filters: Mapping[str, str] = field(default_factory=dict)
    """What every server is held against."""
    shows_partial: bool = False
    """Whether servers of cells that do not answer can be shown: nothing was asked that is not known of them."""
    is_empty: bool = False
    """Whether nothing can be in it, whatever there is."""


def asked(call: Call, *, kind: Literal["index", "detail"]) -> Asked:
    """Raises WireError 400, 403."""
    given = call.request.query_params
    pairs = list(given.multi_items())
    _check(call, pairs)
    if call.minor >= 75:
        unknown = [name for name, _ in pairs if name not in _KNOWN and not name.startswith("_")]
        if unknown:
            verb = "does" if len(unknown) == 1 else "do"
            names = ", ".join(repr(name[:255]) for name in sorted(unknown))
            raise bad_request(f"{names} {verb} not match any of the regexes: '^_'")
    options = {name: value for name, value in pairs if name in _allowed(call)}
    all_tenants = _is_true_or_bare(options.pop("all_tenants", "False"))
    if all_tenants and not call.is_admin:
        raise not_allowed(f"servers:{kind}:get_all_tenants")
    project = options.pop("project_id", None) or options.pop("tenant_id", None)
    options.pop("tenant_id", None)
    deleted = options.pop("deleted", None)
    is_paged = any(name in given for name in _PAGING)
    status = given.getlist("status") if "status" in options else []
    is_empty = deleted is not None and shapes.is_true(deleted)
    if status:
        options["status"] = ",".join(status)
        is_empty |= _check_status(call, status)
    if options.get("soft_deleted") is not None:
        is_empty |= shapes.is_true(options.pop("soft_deleted"))
    return Asked(
        limit=min(LIMIT_MAX, _number(given.get("limit"))),
        marker=given.get("marker"),
        sort=_sort(given.getlist("sort_key"), given.getlist("sort_dir")),
        projects=_projects(call, project if all_tenants else None, all_tenants=all_tenants),
        filters=options,
        shows_partial=call.minor >= 69 and not is_paged and not options and not is_empty,
        is_empty=is_empty,
    )


def _check(call: Call, pairs: list[tuple[str, str]]) -> None:
    for name, value in pairs:
        if name in ("limit", "sort_key", "sort_dir"):
            shapes.check(_SORTING, {name: value}, what="query parameters")
        elif name in ("changes-since", "changes-before") and _instant(value) is None:
            message = f"Invalid input for query parameters {name}. Value: {value[:255]}. "
            raise bad_request(message + f"{value[:255]!r} is not a 'date-time'")


def _allowed(call: Call) -> frozenset[str]:
    """Other parameters are dropped in silence."""
    names = {name for name, since in _OF_ALL.items() if call.minor >= since}
    if call.is_admin:
        names.update(_OF_ADMINS)
    elif call.minor >= 83:
        names.update(_OF_ALL_SINCE_83)
    return frozenset(names)


def _is_true_or_bare(text: str) -> bool:
    """`?all_tenants` without a value means it."""
    if not text:
        return True
    if text.lower() in ("true", "1", "on", "yes", "y", "t"):
        return True
    if text.lower() in ("false", "0", "off", "no", "n", "f"):
        return False
    raise bad_request(f"Invalid value {text[:255]!r} for all_tenants")


def _number(text: str | None) -> int:
    if not text:
        return LIMIT_MAX
    return int(text) if len(text) <= _DIGITS_MAX else LIMIT_MAX


def _sort(keys: list[str], directions: list[str]) -> tuple[tuple[str, bool], ...]:
    """A key without a direction has the first one's; without any it descends."""
    if not keys:
        return (("created_at", (directions or ["desc"])[0] == "desc"),)
    if len(directions) > len(keys):
        raise bad_request("Sort direction size exceeds sort key size")
    default = (directions or ["desc"])[0]
    whole = [*directions, *[default] * (len(keys) - len(directions))]
    return tuple((key, direction == "desc") for key, direction in zip(keys, whole, strict=True))


def _projects(call: Call, project: str | None, *, all_tenants: bool) -> frozenset[str] | None:
    """Without `all_tenants` it is the token's project, whichever was asked for."""
    if not all_tenants:
        return frozenset({call.account.project_id})
    return None if project is None else frozenset({project})


def _check_status(call: Call, names: list[str]) -> bool:
    """Whether no server can have it. Raises WireError 400, 403."""
    known = [name for name in names if name.upper() in STATUSES or name.upper() in OTHER_STATUSES]
    if not known:
        if call.minor >= 38:
            raise bad_request("Invalid status value")
        return True
    if any(name.upper() == "DELETED" for name in known) and not call.is_admin:
        raise not_allowed("servers:show_deleted")
    return not any(name.upper() in STATUSES for name in known)


# ------------------------------------------------------------------------------------------------------------ filtering


def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def filter_of(filters: Mapping[str, str]) -> Passes | None:
    """Whether a server passes all of them; None where there are none.

    Simplified: a filter by something that servers here do not have (`kernel_id`, `ramdisk_id`) has no effect.
    """
    tests = [test for name, value in filters.items() if (test := _filter(name, value)) is not None]
    if not tests:
        return None
    return lambda shown: all(test(shown) for test in tests)


def _filter(name: str, value: str) -> Passes | None:
    match name:
        case "name" | "display_name":
            matches = name_matcher(value)
            return lambda shown: matches(shown.server.name)
        case "status":
            wanted = {part.upper() for part in value.split(",")}
            return lambda shown: status_of(shown.server).status in wanted
        case "changes-since" | "changes-before":
            at = _instant(value)
            assert at is not None, "it was checked"
            if name == "changes-since":
                return lambda shown: (shown.server.state_since or shown.server.created_at) >= at
            return lambda shown: (shown.server.state_since or shown.server.created_at) <= at
        case "ip" | "ip6" | "access_ip_v4" | "access_ip_v6":
            return lambda shown: False
        case "tags" | "tags-any" | "not-tags" | "not-tags-any":
            return _tag_filter(name, frozenset(value.split(",")))
        case "locked":
            return lambda shown: not shapes.is_true(value)
        case "description" | "display_description":
            return lambda shown: value in (_value(shown, "display_description") or "")
        case _ if name in _VALUES:
            return lambda shown: str(_value(shown, name)) == value
        case _:
            return None


def _tag_filter(name: str, wanted: frozenset[str]) -> Passes:
    match name:
        case "tags":
            return lambda shown: wanted <= set(shown.server.tags)
        case "tags-any":
            return lambda shown: bool(wanted & set(shown.server.tags))
        case "not-tags":
            return lambda shown: not wanted <= set(shown.server.tags)
        case _:
            return lambda shown: not wanted & set(shown.server.tags)


def name_matcher(pattern: str) -> Callable[[str], bool]:
    """Nova matches names with the database's regular expressions. Here `^`, `$`, `.` and `.*` mean what they do there,
    and everything else means itself: an expression that takes for ever to match is nobody's to send.
    """
    inner = pattern[1:] if pattern.startswith("^") else ".*" + pattern
    inner = inner[:-1] if inner.endswith("$") else inner + ".*"
    globbed = re.sub(r"\.\*|\.|[*?\[]", _as_glob, inner).lower()
    return lambda name: fnmatch.fnmatchcase(name.lower(), globbed)


def _as_glob(found: re.Match[str]) -> str:
    return {".*": "*", ".": "?"}.get(found[0], f"[{found[0]}]")


def plain_part(filters: Mapping[str, str]) -> str | None:
    """A name that is asked for without any expression in it: the store finds it by itself."""
    name = filters.get("name")
    return name if name is not None and not re.search(r"[\^$.*?\[\]\\+(){}|]", name) else None


_VALUES: Mapping[str, Callable[[Shown], Any]] = {
    "availability_zone": lambda shown: shown.server.cell,
    "cell_name": lambda shown: shown.server.cell,
    "created_at": lambda shown: shown.server.created_at,
    "display_description": lambda shown: shown.server.attributes.get(NOTES, {}).get("description"),
    "display_name": lambda shown: shown.server.name,
    "flavor": lambda shown: shown.entry.flavor,
    "host": lambda shown: shown.server.host,
    "image": lambda shown: shown.entry.image or "",
    "image_ref": lambda shown: shown.entry.image or "",
    "key_name": lambda shown: shown.server.attributes.get(NOTES, {}).get("key_name"),
    "launched_at": lambda shown: shown.server.started_at,
    "memory_mb": lambda shown: shown.server.size.memory_bytes,
    "node": lambda shown: shown.server.host,
    "power_state": lambda shown: status_of(shown.server).power_state,
    "project_id": lambda shown: id_text(shown.server.project_id),
    "task_state": lambda shown: status_of(shown.server).task_state,
    "updated_at": lambda shown: shown.server.state_since or shown.server.created_at,
    "user_id": lambda shown: shown.user_id,
    "uuid": lambda shown: shown.server.id,
    "vcpus": lambda shown: shown.server.size.cpu_mhz,
    "vm_state": lambda shown: status_of(shown.server).vm_state,
}


def _value(shown: Shown, name: str) -> Any:
    return _VALUES[name](shown)


def sorted_by(sort: tuple[tuple[str, bool], ...], found: list[Shown]) -> list[Shown]:
    """By each key in turn, what has no value first; the newest first among equals, as Nova does."""
    found = sorted(found, key=lambda shown: (shown.server.created_at, shown.server.id), reverse=True)
    for name, is_descending in reversed(sort):
        if name in _VALUES:
            found.sort(key=lambda shown: _sortable(_value(shown, name)), reverse=is_descending)
    return found


def _sortable(value: Any) -> tuple[bool, Any]:
    return (value is not None, "" if value is None else value)
