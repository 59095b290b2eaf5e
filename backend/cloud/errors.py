"""Everything that the cloud refuses, as one tree. Fields, not sentences; dialects give them a status and a body.

CloudError
    NotFound              no such object, or not one that the account may see
    Forbidden             the account may not do this
    WrongState            the object's state does not allow it now
    Invalid               a value is wrong, or out of range
    Forgotten             it is older than what the cloud keeps of its past
    Conflict              the object has changed since the version that was named; a key used for another request
    OverQuota             the project would exceed its quota
    NoFunds               the account cannot pay for it
    NoCapacity            no host has room
    Unreachable           the object's cell does not answer: nothing was changed
        DiskFull          it answers, and takes no changes
    OutcomeUnknown        the cell stopped answering in the middle: it may have been done
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class CloudError(Exception):
    """Never raised itself. `code` is stable and is what machines read."""

    @property
    def code(self) -> str:
        return "".join("_" + c.lower() if c.isupper() else c for c in type(self).__name__).lstrip("_")

    def __str__(self) -> str:
        return self.code


@dataclass
class NotFound(CloudError):
    kind: str
    id: str

    def __str__(self) -> str:
        return f"There is no {self.kind} {self.id}."


@dataclass
class Forbidden(CloudError):
    action: str
    reason: str = "this account may not do it"

    def __str__(self) -> str:
        return f"Cannot {self.action}: {self.reason}."


@dataclass
class WrongState(CloudError):
    kind: str
    id: str
    action: str
    state: str
    wanted: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"Cannot {self.action} {self.kind} {self.id}: it is {self.state}, and should be {' or '.join(self.wanted)}."
        )


@dataclass
class Invalid(CloudError):
    field: str
    problem: str

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}"


@dataclass
class Forgotten(CloudError):
    """`since` is the instant, as text, from which on the past is kept; empty where that is not known."""

    what: str
    since: str

    def __str__(self) -> str:
        kept = f" What has happened since {self.since} is kept." if self.since else ""
        return f"{self.what} lies before the beginning of the log: begin again with a list.{kept}"


@dataclass
class Conflict(CloudError):
    problem: str

    def __str__(self) -> str:
        return self.problem


@dataclass
class OverQuota(CloudError):
    resource: str
    wanted: int
    left: int

    def __str__(self) -> str:
        return f"Over quota: {self.resource} needs {self._said(self.wanted)}, {self._said(self.left)} left."

    def _said(self, amount: int) -> str:
        return f"{amount / 2**30:.1f} GiB" if self.resource in ("mem", "storage") else f"{amount}"


@dataclass
class NoFunds(CloudError):
    """All amounts of money are texts: `burnt` is what of the needed would be spent anyway, `added` what comes to it."""

    what: str
    needed: str
    balance: str
    currency: str
    burnt: str = ""
    added: str = ""

    def __str__(self) -> str:
        parts = ""
        if self.burnt:
            parts = f" ({self.added} for this, {self.burnt} for what the account burns already)"
        return (
            f"Not enough funds to {self.what}: {self.needed} {self.currency} are needed{parts}, "
            f"and the balance is {self.balance} {self.currency}."
        )


@dataclass
class NoCapacity(CloudError):
    """`reasons` counts the hosts by why they were refused: `("short of CPU", 11)`."""

    what: str
    reasons: Sequence[tuple[str, int]] = ()

    def __str__(self) -> str:
        why = ", ".join(f"{count} {reason}" for reason, count in self.reasons)
        return f"No host has room for {self.what}" + (f" ({why})." if why else ".")


@dataclass
class Unreachable(CloudError):
    cell: str
    reason: str = ""

    def __str__(self) -> str:
        who = "The cloud" if self.cell == "cloud" else f"Cell {self.cell}"
        return f"{who} does not answer" + (f": {self.reason}." if self.reason else ".")


@dataclass
class DiskFull(Unreachable):
    """Refused like what does not answer, by whoever asks for a change."""

    def __str__(self) -> str:
        who = "The cloud" if self.cell == "cloud" else f"Cell {self.cell}"
        return f"{who} takes no changes, because the disk is full: make room."


@dataclass
class OutcomeUnknown(CloudError):
    cell: str
    reason: str = ""

    def __str__(self) -> str:
        what = "cloud.db failed" if self.cell == "cloud" else f"Cell {self.cell} stopped answering"
        why = f" ({self.reason})" if self.reason else ""
        return f"{what} in the middle{why}: the request may have been carried out. Look before you repeat it."
