"""Which program of this machine takes a text for its clipboard, where the terminal may not take it.

Terminals take texts by OSC 52, and not all do: a few ignore it, some cut what is long. A program of the machine is as
good where the machine is the one before the operator; over SSH its clipboard is somebody else's, or nobody's.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence

TERMINAL_BYTES_MAX = 74_994
"""What terminals take in one OSC 52 sequence; more is cut or dropped by many without a word."""
SECONDS_MAX = 0.5

_DEAF_TERMINALS = frozenset({"linux", "dumb", "vt100", "vt220"})


def command(environment: Mapping[str, str], which: Callable[[str], str | None] = shutil.which) -> Sequence[str] | None:
    """The program to give the text to, with its arguments; None where there is none to be trusted."""
    if environment.get("SSH_CONNECTION") or environment.get("SSH_TTY"):
        return None
    candidates: list[tuple[str, ...]] = [("pbcopy",)]
    if environment.get("WAYLAND_DISPLAY"):
        candidates.append(("wl-copy",))
    if environment.get("DISPLAY"):
        candidates += [("xclip", "-selection", "clipboard", "-in"), ("xsel", "--clipboard", "--input")]
    for name, *arguments in candidates:
        if (path := which(name)) is not None:
            return (path, *arguments)
    return None


def is_heard(environment: Mapping[str, str]) -> bool:
    """Whether the terminal may take a text at all."""
    return environment.get("TERM", "dumb") not in _DEAF_TERMINALS


def give(program: Sequence[str], text: str) -> bool:
    """Give a text to a program; whether it took it."""
    try:
        # These programs stay to serve the clipboard: what they might say must not keep us.
        done = subprocess.run(  # noqa: S603
            program,
            input=text.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
