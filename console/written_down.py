"""A request that could change something is in the log before it is sent, or is not sent at all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from console.port import ClientError
from console.records_audit import ACCEPTED, NOT_SENT, REFUSED, SENDING, UNKNOWN, Audit

if TYPE_CHECKING:
    from console.audit import AuditLog


class WrittenDown:
    """What a client does to its cloud. `logs` opens the log of a cloud by its id; without it nothing is kept."""

    def __init__(self, logs: Callable[[str], AuditLog] | None) -> None:
        self._logs = logs
        self._log: AuditLog | None = None
        self.name_of: Callable[[str], str | None] = lambda _id: None
        """What an object is called now: when it is deleted, nobody knows any more."""
        self._under_way: set[str] = set()
        """Ids of what was sent from here, and whose answer has not come."""

    @property
    def needs_cloud(self) -> bool:
        """Whether something would be written and nobody knows yet of which cloud."""
        return self._logs is not None and self._log is None

    def belongs_to(self, cloud_id: str) -> None:
        if self._logs is not None:
            self._log = self._logs(cloud_id)

    async def audit(self) -> Audit:
        import asyncio

        log = self._log
        records = () if log is None else await asyncio.to_thread(log.records)
        under_way = self._under_way
        if not under_way:
            return Audit(records)
        return Audit(tuple(each._replace(outcome=SENDING) if each.id in under_way else each for each in records))

    def _name(self, path: str) -> str:
        """What the object of a path is called, where an id does not say it."""
        parts = path.split("?", maxsplit=1)[0].strip("/").split("/")
        return (self.name_of(unquote(parts[1])) or "") if len(parts) > 1 else ""

    @asynccontextmanager
    async def request(self, method: str, path: str, body: Mapping[str, Any]) -> AsyncIterator[None]:
        """Around a request that is sent. Raises ClientError where the log cannot be written."""
        log = self._log
        if log is None:
            yield
            return
        import asyncio

        from console.audit import AuditProblem

        try:
            id = await asyncio.to_thread(log.begin, method, path, body, self._name(path))
        except AuditProblem as problem:
            raise ClientError(f"nothing was sent: {problem}", "audit", False) from problem
        outcome, sentence = ACCEPTED, ""
        self._under_way.add(id)
        try:
            yield
        except ClientError as error:
            outcome, sentence = _outcome_of(error), error.sentence
            raise
        except BaseException:
            outcome = UNKNOWN
            raise
        finally:
            self._under_way.discard(id)
            with suppress(AuditProblem):
                # What was done cannot be undone because a disk is full: that it is unknown is what the log then says.
                log.end(id, outcome, sentence)


def _outcome_of(error: ClientError) -> str:
    """What the log says of a request that brought no result."""
    if error.code == "no_answer":
        return NOT_SENT
    return UNKNOWN if error.code in ("outcome_unknown", "bad_answer") or error.is_offline else REFUSED
