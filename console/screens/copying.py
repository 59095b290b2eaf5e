"""What of a row may be copied: what it is called, what is seen of it, and what asks for it elsewhere. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import NamedTuple

from console.presentation.mirror import Mirror
from console.screens import objects


class CopyItem(NamedTuple):
    """One item of the menu."""

    letter: str
    title: str
    text: str
    reason: str | None = None
    """Why it is off."""


_OPENSTACK: Mapping[str, str] = {
    "server": "openstack server show {}",
    "host": "openstack hypervisor show {}",
    "service": "openstack compute service list --service {} --host {}",
}
_CLOUDSIGMA: Mapping[str, str] = {"server": "Server", "drive": "Drive"}
_STRATODECK: Mapping[str, str] = {
    "host": "stratodeck host drain --preview {}",
    "cell": "stratodeck cell down --preview {}",
}


def items(mirror: Mirror, key: str, row: str) -> list[CopyItem]:
    """What can be copied of the row with this key; a client that knows nothing of its kind is off."""
    kind, name = objects.split_key(mirror, key)
    item = objects.item_of(mirror, key)
    program = "openstack" if mirror.offer is None else f"openstack --os-cloud {shlex.quote(mirror.kind)}"
    of_ours = None if mirror.offer is None else "of our own clouds only"
    words = [shlex.quote(word) for word in (name.split("/", 1) if kind == "service" else [name])]
    script = f"import cloudsigma; print(cloudsigma.resource.{_CLOUDSIGMA.get(kind)}().get({name!r}))"
    return [
        CopyItem("i", "id", name),
        CopyItem("n", "name", item.name if item is not None else key),
        CopyItem("r", "row", row),
        CopyItem("c", "curl", objects.curl(mirror, key), of_ours),
        _command("o", "openstack", kind, _OPENSTACK.get(kind, "").format(*words).replace("openstack", program, 1)),
        _command("p", "cloudsigma in Python", kind, f"python3 -c {shlex.quote(script)}" if kind in _CLOUDSIGMA else "",
                 of_ours),
        _command("s", "stratodeck", kind, _STRATODECK.get(kind, "").format(*words), of_ours),
    ]  # fmt: skip


def _command(letter: str, title: str, kind: str, text: str, off: str | None = None) -> CopyItem:
    article = "an" if kind[:1] in "aeiou" else "a"
    return CopyItem(letter, title, text, off if text else f"no command reads {article} {kind}")
