"""What an OpenStack has of what the console shows: which views have nothing there, and which verbs there are."""

from __future__ import annotations

from console.records_offer import Offer, Verb

_NO_BACKUPS = "Nova keeps no backups and no schedules. Those of a real cloud are Cinder's, Freezer's or a vendor's."
_SIMULATED = "this is a real cloud: {}"

_VIEWS = {
    "drives": "Nova has no drives. Volumes are Cinder's, and this console asks Nova only.",
    "backfill": "Nova has no backfilling servers: every server is guaranteed its size, and nobody is shrunk.",
    "tasks": "Nova lists no tasks. What a server is doing stands in its own row and its description.",
    "events": "Nova lists no events. What was done from here is in :audit.",
    "schedules": _NO_BACKUPS,
    "backups": _NO_BACKUPS,
    "coverage": _NO_BACKUPS,
    "calendar": _NO_BACKUPS,
    "storage": _NO_BACKUPS,
    "capacity": "Nova tells what its hosts have and not what still fits on them. :hosts shows what is used of each.",
    "clock": _SIMULATED.format("nobody sets its clock."),
    "faults": _SIMULATED.format("nothing is broken on purpose here."),
    "billing": "Nova has no prices. A bill would be CloudKitty's, or the vendor's.",
    "why": "Nova does not say why a server is on its host: the scheduler keeps no reasons.",
}
_SHUT = frozenset({"running", "paused", "error"})
_VERBS = {
    "server.start": Verb(frozenset({"stopped"}), "its host is chosen already"),
    "server.shutdown": Verb(frozenset({"running"}), "off at last, if it must be"),
    "server.reboot": Verb(frozenset({"running"}), "it restarts by itself"),
    "server.delete": Verb(frozenset({"stopped", "starting", "stopping"}) | _SHUT, "type its name"),
    "server.create": Verb(cost="asks for a flavor"),
}
_LACKS = {
    "server.stop": "h shuts it down, then off",
    "server.start_apart": "it keeps its host",
    "server.start_away": "it keeps its host",
    "server.clone": "Nova has no clones",
    "server.separate": "Nova has no clones",
    "server.delete_all": "volumes are Cinder's",
    "server.attach_drive": "volumes are Cinder's",
    "server.detach_drive": "volumes are Cinder's",
    "server.attach_nic": "networks are Neutron's",
    "server.detach_nic": "networks are Neutron's",
    "server.backup": "Nova has no backups",
    "server.schedule": "Nova has no schedules",
    "server.restarts": "nobody is stopped for room",
    "server.stays": "nobody is stopped for room",
    "server.edit": "not from this console",
    "server.resize": "not from this console",
    "host.drain": "not from this console",
    "host.evacuate": "not from this console",
    "host.recover": "not from this console",
    "host.fail": "it is a real host",
    "group.restore": "Nova computes no plan",
    "group.end": "Nova computes no plan",
    "what_if": "Nova computes no plan",
    **dict.fromkeys(("account.balance", "account.subscribe", "account.extend"), "Nova has no prices"),
    "cell.ask": "Nova asks its cells itself",
    **dict.fromkeys(("cell.up", "cell.down", "cell.hung", "faults.end"), "it is a real cloud"),
    **dict.fromkeys(
        ("clock.advance", "clock.manual", "clock.go", "clock.hour", "clock.due", "clock.rate", "clock.wall"),
        "it is a real cloud",
    ),
}
CELLS = (
    "Nova tells no client of its cells. These are availability zones; one cell may hold several, or a part of one. "
    "What is UNKNOWN in a zone lies in a cell that does not answer."
)
OLD = "In {} this cloud leaves servers of silent cells out without a word, so each that is missing is asked for."
NO_PLAN = "Nova computes no plan: who else this would touch is not known before"
ADMINS_ONLY = "only administrators of this cloud are told of its {}"


def offer(*, refuses: frozenset[str] = frozenset(), silent_about_cells: str | None = None) -> Offer:
    """`refuses` are the sources that this account may not see: `hosts`, `services`, `groups`.

    `silent_about_cells` is the version of a cloud that says nothing of servers whose cell does not answer.
    """
    views = dict(_VIEWS)
    for name in refuses & {"hosts", "services", "groups"}:
        views[name] = ADMINS_ONLY.format({"hosts": "hypervisors", "groups": "server groups"}.get(name, name)) + "."
    cells = CELLS if silent_about_cells is None else f"{CELLS} {OLD.format(silent_about_cells)}"
    return Offer(views, _VERBS, _LACKS, cells, "Nova has no such verb")
