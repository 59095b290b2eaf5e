"""Looking at an OpenStack again and again, and what each look brings.

    the whole list   at first, when a silent server answers again, and every ten minutes
    what changed     since the last look, with an overlap: clocks differ, and what is told twice does no harm
    who answers      the plain list, unfiltered: only that has UNKNOWN rows, and misses what is gone
    services         where one may see them: which compute hosts are UNKNOWN, however full the list is

What fails is a trouble with a sentence, and is tried less and less often; the last rows stay, and their age grows.

**Source**: Compute API reference, "Handling Down Cells", `changes-since`; recorded answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from console.openstack import wire
from console.openstack.compute import LIST_SECONDS, Answer, Compute, understood
from console.openstack.known import Known
from console.openstack.pace import Pace
from console.port import LATER, ClientError
from console.presentation.figures import duration
from console.records import CellRecord, Changes, HostRecord, ServerRecord
from console.records_backup_plans import FlavorRecord
from console.records_services import Services

T = TypeVar("T")

FIRST_CURSOR = "look"
PAGE_ROWS = 1_000
OVERLAP = timedelta(seconds=30)
"""How much of the past a look at what changed repeats: the API's clock, its databases' and its hosts' differ."""
WHOLE_SECONDS = 600.0
ANSWERING_SECONDS = 30.0
SERVICES_SECONDS = 9.0
"""At each look that is not in a hurry: of all that tells of a silent cell, it is the least to ask for."""
SERVICES_MANY, SERVICES_MANY_SECONDS = 200, 30.0
"""From so many services on, their list is asked for less often."""
HOSTS_SECONDS = 30.0
GROUPS_SECONDS = 60.0
SHOWN_MAX = 5
"""Servers that are missing from a list and are asked for one by one, at each look."""
MARKERS_MAX = 3
"""How many rows back a page is tried again after when its marker fails."""

FAILING_SECONDS = 30.0
"""How often everything is read of a cloud that fails every filtered list."""
LIST = "list"
"""The trouble of all that is shown: the others are of one view each."""
WORDS = {"groups": "server groups", "hosts": "hypervisors"}

_REFUSALS = frozenset({"forbidden", "not_found"})
SLOW_SECONDS = 10.0


class Looking:
    """The looks at one cloud, and what they add up to in `known`."""

    def __init__(self, compute: Compute, pace: Pace, wall_now: Callable[[], datetime]) -> None:
        self._compute = compute
        self._pace = pace
        self._wall_now = wall_now
        self.known = Known()
        self.flavors: Mapping[str, FlavorRecord] = {}
        self.refused: frozenset[str] = frozenset()
        """Sources that this account may not see."""
        self.is_offline = False
        self._looked_at: float | None = None
        self._due: dict[str, float] = {}
        self._since: datetime | None = None
        self._begun: datetime | None = None
        self._is_cut = False
        self._is_silence = False
        """Whether anything did not answer when the list was begun."""
        self._missing: dict[str, None] = {}
        self._is_full = False
        """Whether the list has no room for UNKNOWN rows."""
        self._are_filters_failing = False
        self._tenants: Mapping[str, str] = {"all_tenants": "1"}
        self._troubles: dict[str, str] = {}
        self._markers: tuple[str, ...] = ()
        self._page_ids: set[str] = set()

    # ---------------------------------------------------------------------------------------------------- what is so

    @property
    def troubles(self) -> tuple[str, ...]:
        held = self._pace.held_seconds
        asked = (f"the cloud asks for fewer requests: none for {duration(held)}",) if held else ()
        return (*asked, *(f"{text}{self._again()}" for what, text in self._troubles.items() if what == LIST))

    def _again(self) -> str:
        """When the list is asked for again, counted from now."""
        wait = self._pace.interval_seconds
        if wait is None or self._looked_at is None:
            return ""
        left = self._looked_at + wait - self._now()
        return f"; asked again in {duration(left)}" if left > 0 else "; asked again now"

    @property
    def notes(self) -> Mapping[str, str]:
        """By view; of servers there may be several."""
        found = {view: text for view, text in self._troubles.items() if view in ("hosts", "groups", "services")}
        of_servers = "; ".join(self._troubles[what] for what in ("all", "hidden", "pages") if what in self._troubles)
        return {**({"servers": of_servers} if of_servers else {}), **found}

    def zones(self) -> tuple[CellRecord, ...]:
        return self.known.zones(self._wall_now())

    def forget_pauses(self) -> None:
        self._due.clear()

    def _now(self) -> float:
        return self._pace.now()

    def _rest(self, source: str, seconds: float) -> None:
        """The source is left alone for a while, longer where the whole cloud is asked less often."""
        interval = self._pace.interval_seconds
        self._due[source] = self._now() + max(seconds, 0.0 if interval is None else interval)

    # -------------------------------------------------------------------------------------------------------- servers

    async def page(self, after: str | None) -> tuple[tuple[ServerRecord, ...], str | None]:
        """One page of the first reading of the list, and what the next one is asked with."""
        await self._pace.until_due(self._looked_at if after is None else None)
        found = await self._looked(lambda: self._page(after))
        if found[1] is None and "groups" not in self._due:
            # What else there is to know is asked for as soon as there are servers to show.
            self._looked_at = None
        return found

    async def _page(self, after: str | None) -> tuple[tuple[ServerRecord, ...], str | None]:
        if not self._compute.says_unknown:
            await self.read_flavors()
        following = await self._read_page(after)
        if following is None:
            self._end_of_list()
        return self.known.take_news().servers, following

    async def _read_page(self, after: str | None) -> str | None:
        """Take one page; the marker of the next, None where there is none or it cannot be had."""
        if after is None:
            page, answer = await self._first_page()
            self._begun, self._page_ids, self._is_cut = self._instant(answer), set(), False
            self._is_full = page.has_more
            self._is_silence = bool(page.unknown) or bool(self.known.silent_hosts)
        else:
            try:
                page = await self._page_after(after)
            except ClientError as error:
                if not _is_of_list(error):
                    raise
                self._is_cut = True
                return None
        self.known.take_listed(page)
        self._page_ids |= {row.id for row in (*page.servers, *page.unknown)}
        self._markers = page.markers or self._markers
        if not page.has_more:
            return None
        # A server that answers, whatever the link says; a page of none is read again with a limit, which leaves
        # UNKNOWN rows out.
        return page.markers[-1] if page.markers else "" if after is None else None

    def _end_of_list(self) -> None:
        """Every page has been read, or as many as can be had."""
        self._since = self._begun
        self._troubles.pop("pages", None)
        if self._is_cut:
            number = len(self._page_ids)
            self._troubles["pages"] = f"the list ends after {number} servers: the cloud fails to go on from there"
        else:
            self._missing = self._not_in(self._page_ids, also_silent=not self._is_full or not self._is_silence)
        self._rest("whole", FAILING_SECONDS if self._are_filters_failing else WHOLE_SECONDS)
        self._rest("answering", ANSWERING_SECONDS)

    async def _first_page(self) -> tuple[wire.Listed, Answer]:
        """Without any filter, or there would be no UNKNOWN rows; of all projects for who may see them."""
        try:
            answer = await self._list("/servers/detail", self._tenants)
        except ClientError as error:
            if error.code != "forbidden" or not self._tenants:
                raise
            self._tenants = {}
            answer = await self._list("/servers/detail", {})
        return await self._listed(answer), answer

    async def _page_after(self, marker: str) -> wire.Listed:
        """A marker may be deleted, or fall silent, between two pages: then one of the rows before it is tried."""
        tried = [marker, *(id for id in reversed(self._markers) if id != marker)][: MARKERS_MAX + 1]
        for place, each in enumerate(tried):
            more = {"limit": str(PAGE_ROWS), **({"marker": each} if each else {})}
            try:
                return await self._listed(await self._list("/servers/detail", {**self._tenants, **more}))
            except ClientError as error:
                if not _is_of_list(error) or place == len(tried) - 1:
                    raise
        raise AssertionError("the last marker either answers or raises")

    async def _listed(self, answer: Answer) -> wire.Listed:
        async with understood():
            return wire.listed(answer.body, self.flavors)

    async def _list(self, path: str, params: Mapping[str, str]) -> Answer:
        return await self._compute.get(path, params, seconds=LIST_SECONDS)

    def _instant(self, answer: Answer) -> datetime:
        """The cloud's own, as its answer says; what it has none of is ours."""
        return answer.at or self._wall_now()

    async def changes(self) -> Changes:
        """Wait until it is time, and look."""
        await self._pace.until_due(self._looked_at)
        await self._looked(self._look)
        news = self.known.take_news()
        return Changes(FIRST_CURSOR, servers=news.servers, removed=news.removed)

    async def _looked(self, look: Callable[[], Awaitable[T]]) -> T:
        """A look that counts: what it took, and what became of it."""
        begun = self._now()
        self._pace.begun()
        try:
            found = await look()
        except ClientError as error:
            self._looked_at = self._now()
            self._pace.failed()
            self.is_offline = error.is_offline
            if error.code != "slow_down":
                self._troubles[LIST] = f"the list of servers: {error.sentence}"
            # It is asked again when it is due, whatever it was.
            raise ClientError(error.sentence, error.code, True) from error
        self._looked_at = self._now()
        self._pace.answered(self._now() - begun)
        self._troubles.pop(LIST, None)
        self.known.seen_at = self._wall_now()
        self._say_of_silence(self._now() - begun)
        return found

    def _say_of_silence(self, seconds: float) -> None:
        """What UNKNOWN rows may not mean, and what may be missing from the list."""
        silent, total = len(self.known.unknown_ids), len(self.known.rows)
        self._troubles.pop("all", None)
        self._troubles.pop("hidden", None)
        if total and silent == total and not self.known.silent_hosts:
            slow = f" after {seconds:.0f} s" if seconds >= SLOW_SECONDS else ""
            up = " while every compute service answers" if self.known.services else ""
            why = ": a cell that does not answer can take others with it" if slow or up else ""
            self._troubles["all"] = f"the cloud says UNKNOWN of all {total} servers{slow}{up}{why}"
        if self._is_full and (silent or self.known.silent_hosts):
            self._troubles["hidden"] = "the list is full of servers that answer: UNKNOWN ones may be missing from it"

    async def _look(self) -> None:
        """What is due: services, for they are told soonest; who answers, then what changed."""
        silent_before = self.known.silent_hosts
        await self._services_and_groups()
        is_shaken = self.known.silent_hosts != silent_before
        is_whole = self._is_past("whole")
        if not is_whole and (
            is_shaken or self._pace.is_busy or self.known.unknown_ids or self._is_past("answering")
        ):  # fmt: skip
            is_whole = await self._who_answers()
        if is_whole:
            await self._whole()
        elif not self._are_filters_failing:
            await self._changed()
        if not (self.known.unknown_ids or self.known.silent_hosts):
            self._are_filters_failing = False
        await self._asked_for_one_by_one()

    def _is_past(self, what: str) -> bool:
        """Whether a source is due; none is while nobody looks at the screen."""
        return self._pace.interval_seconds is not None and self._now() >= self._due.get(what, float("-inf"))

    async def _who_answers(self) -> bool:
        """Look at the plain list; whether somebody answers again."""
        answer = await self._list("/servers", self._tenants)
        async with understood():
            brief = wire.brief(answer.body)
        self._is_full = brief.has_more
        self._rest("answering", ANSWERING_SECONDS)
        returned = self.known.take_brief(brief)
        if not brief.has_more:
            # Of a full page, who is missing may be on the next one, and an UNKNOWN row may have found no room.
            listed = brief.answering | {row.id for row in brief.unknown}
            self._missing = self._not_in(listed, also_silent=self._compute.says_unknown)
        return bool(returned)

    async def _changed(self) -> None:
        """What changed since the last look, which also names what was deleted."""
        since = (self._since or self._wall_now()) - OVERLAP
        params = {**self._tenants, "changes-since": since.strftime("%Y-%m-%dT%H:%M:%SZ")}
        marker: str | None = None
        begun: datetime | None = None
        while True:
            more: dict[str, str] = {} if marker is None else {"marker": marker, "limit": str(PAGE_ROWS)}
            try:
                answer = await self._list("/servers/detail", {**params, **more})
            except ClientError as error:
                if not _is_of_list(error):
                    raise
                # Where lists may not skip silent cells, every filtered one fails while there is such a cell.
                self._are_filters_failing = True
                await self._whole()
                return
            begun = begun or self._instant(answer)
            page = await self._listed(answer)
            self.known.take_listed(page)
            marker = page.markers[-1] if page.markers else None
            if not page.has_more or marker is None:
                self._since = begun
                return

    def _not_in(self, ids: Collection[str], *, also_silent: bool) -> dict[str, None]:
        return dict.fromkeys(self.known.missing_from(ids, also_silent=also_silent))

    async def _whole(self) -> None:
        """Every page, from the first."""
        after = await self._read_page(None)
        while after is not None:
            after = await self._read_page(after)
        self._end_of_list()

    async def _asked_for_one_by_one(self) -> None:
        """Servers that are in no list: gone, or silent and without room in it. Each says so itself."""
        for id in list(self._missing)[:SHOWN_MAX]:
            if id in self.known.rows:
                await self._ask_for(id)
            self._missing.pop(id, None)

    async def _ask_for(self, id: str) -> None:
        try:
            answer = await self._compute.get(f"/servers/{id}")
            async with understood():
                body = answer.body["server"]
                is_unknown = body["status"] == "UNKNOWN"
                row = None if is_unknown else wire.server(body, self.flavors)
        except ClientError as error:
            if error.code == "not_found":
                self.known.gone([id])
            elif _is_of_list(error) or error.code == "forbidden":
                # A 403 is said of what is there, and before 2.69 a 500 of what does not answer.
                self.known.fell_silent([id])
            else:
                raise
            return
        if row is None:
            self.known.fell_silent([id])
        else:
            self.known.take_listed(wire.Listed((row,)))

    # ------------------------------------------------------------------------------------------- services and hosts

    async def _services_and_groups(self) -> None:
        if "services" not in self.refused and self._is_past("services"):
            await self._tried("services", self._take_services)
        if "groups" not in self.refused and self._is_past("groups"):
            await self._tried("groups", self._take_groups)

    async def _tried(self, source: str, read: Callable[[], Awaitable[None]]) -> None:
        """Read a lesser source; what it refuses is not asked again, what fails is a trouble."""
        try:
            await read()
        except ClientError as error:
            if error.is_offline or error.code == "slow_down":
                raise
            if error.code in _REFUSALS:
                self.refused |= {source}
                if source == "groups":
                    self.known.groups = ()
                return
            words = f"{WORDS.get(source, source)}: {error.sentence}"
            is_silent = bool(self.known.unknown_ids or self.known.silent_hosts)
            self._troubles[source] = f"{words}, as Nova does while a cell is silent" if is_silent else words
        else:
            self._troubles.pop(source, None)

    async def _take_services(self) -> None:
        is_large = len(self.known.services or ()) > SERVICES_MANY
        self._rest("services", SERVICES_MANY_SECONDS if is_large else SERVICES_SECONDS)
        body = (await self._compute.get("/os-services")).body
        async with understood():
            found = [wire.service(row) for row in body["services"]]
        # A list that is full, or that does not answer at all, tells of nobody that is silent.
        is_list_silent = self._is_full or LIST in self._troubles
        self.known.take_services(found, self._wall_now(), is_list_silent=is_list_silent)

    async def _take_groups(self) -> None:
        self._rest("groups", GROUPS_SECONDS)
        params = {"all_projects": "True"} if self._tenants else {}
        body = (await self._compute.get("/os-server-groups", params)).body
        async with understood():
            found = wire.with_own_names(map(wire.group, body["server_groups"]))
        self.known.take_groups(found)

    async def read_services(self) -> Services:
        """Those of the last look; the first time they are asked for now."""
        if self._is_past("services"):
            await self._tried_now("services", self._take_services)
        if self.known.services is None:
            raise self._not_now("services")
        return Services(self.known.services)

    async def read_hosts(self) -> tuple[HostRecord, ...]:
        """The hypervisors; while Nova fails to list them because a cell is silent, as they were last."""
        if self.known.services is None and self._is_past("services"):
            await self._tried_now("services", self._take_services)
        if self._is_past("hosts"):
            self._rest("hosts", HOSTS_SECONDS)
            await self._tried_now("hosts", self._take_hosts)
        if self.known.hosts is None and (self.known.services is None or "hosts" in self.refused):
            raise self._not_now("hosts")
        return self.known.hosts if self.known.hosts is not None else self.known.take_hosts(None)

    async def _take_hosts(self) -> None:
        found: list[HostRecord] = []
        params: dict[str, str] = {}
        while True:
            body = (await self._compute.get("/os-hypervisors/detail", params)).body
            async with understood():
                rows: Sequence[Mapping[str, Any]] = body["hypervisors"]
                found += [wire.host(row, self.known.zones_of_hosts) for row in rows]
                has_more = wire.has_more(body, "hypervisors") and bool(rows)
                params = {"marker": str(rows[-1]["id"]), "limit": str(PAGE_ROWS)} if has_more else {}
            if not has_more:
                break
        self.known.take_hosts(wire.merged(found))

    async def _tried_now(self, source: str, read: Callable[[], Awaitable[None]]) -> None:
        """For a view in sight: a failure of this source is no failure of the cloud."""
        try:
            await self._tried(source, read)
        except ClientError as error:
            self._troubles[source] = f"{WORDS.get(source, source)}: {error.sentence}"

    def _not_now(self, source: str) -> ClientError:
        if source in self.refused:
            return ClientError(f"this account may not see the {source}", "forbidden", False)
        return ClientError(self._troubles.get(source, f"the {source} have not been told yet"), LATER, False)

    async def read_flavors(self) -> tuple[FlavorRecord, ...]:
        if not self.flavors or self._is_past("flavors"):
            body = (await self._compute.get("/flavors/detail", is_asked=True)).body
            async with understood():
                self.flavors = {row.id: row for row in map(wire.flavor, body["flavors"])}
            self._rest("flavors", WHOLE_SECONDS)
        return tuple(self.flavors.values())


def _is_of_list(error: ClientError) -> bool:
    """A failure of what was asked, and not of the cloud: a bad marker, or a cell that should have been asked too."""
    return error.code in ("badRequest", "computeFault") or error.code.startswith("http_5")
