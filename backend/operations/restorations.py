"""Taking apart the servers of a group that share a host: the plan with the fewest moves, and carrying it out.

A move shuts a member down and starts it again, avoiding all other members. The moves of a cell are found by
`cloud.restoring`, and are then carried out to their end in a transaction that is rolled back: what a plan says is what
the very code of the moves has done there. Cells come one after the other, by name; of one that does not answer nobody
is moved.

Carried out, it is a chain of tasks in cloud.db, one for each move: `stop`, `start`, `up`. The next member goes only
when the one before it runs again, so the group never misses two because of it. Before each move the rest of the plan
in its cell is gone through again in the same transaction, and the chain ends where that is not what was agreed to. A
step in a cell remembers that it was done, so a crash between the two files repeats nothing; while a cell is silent its
task waits for it. Ending the chain lets the member that is on its way start first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from backend.cloud import lifecycle, restoring
from backend.cloud.errors import Conflict, NotFound, OutcomeUnknown, Unreachable
from backend.cloud.model import HostState, ReachabilityState, Server, ServerState, Task, TaskState
from backend.cloud.restoring import Restoration
from backend.operations import Cloud, RequestKey, Settings, drains, repeats, rooms, servers, tasks
from backend.operations.rooms import Decision
from backend.store import STEPS, CellTransaction, CloudTransaction

Phase = Literal["stop", "start", "up"]

STEPS_MAX = 50
"""Of one move that is gone through; it is over long before."""

RETRY_SECONDS = 10
"""When a cell is asked again that answers and takes nothing."""

LISTED_DECISIONS_MAX = 200
"""For one group of a list: enough for all but the knottiest, and some milliseconds."""


@dataclass(frozen=True, slots=True)
class Move:
    """One member, from where it is to where it is to run."""

    server: str
    name: str
    cell: str
    source: str
    target: str
    stops: tuple[str, ...]
    """The ids of the backfilling servers that make room for it."""
    shrinks: int
    avoid: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Move:
        return cls(**{**stored, "stops": tuple(stored["stops"]), "avoid": tuple(stored["avoid"])})


@dataclass(frozen=True, slots=True)
class Done:
    """A move as it was carried out in a transaction that is rolled back."""

    move: Move
    server: Server
    """Before."""
    stops: tuple[Server, ...]
    waits: bool
    seconds_down: float
    """From its shutdown until it runs again."""


@dataclass(frozen=True, slots=True)
class CellPlan:
    """What can be done in one cell."""

    restoration: Restoration
    held: Mapping[str, str]
    """Names of members that share a host and cannot be moved now, and why."""
    leaving: tuple[str, ...] = ()
    """Names of members that are being stopped: they will be gone before anybody has been moved."""
    done: tuple[Done, ...] = ()
    ends_at: datetime | None = None
    is_as_found: bool = True
    """Whether the moves came to what the search had expected."""
    after: Mapping[str, Server] = field(default_factory=dict)
    """The members of the cell at the end, by id: others may have left by themselves meanwhile."""


# --- one transaction in a cell ---------------------------------------------------------------------------------------


def find_in_cell(
    tx: CellTransaction,
    ids: Iterable[str],
    *,
    now: datetime,
    settings: Settings,
    decisions_max: int = restoring.DECISIONS_MAX,
    with_ties: bool = True,
) -> CellPlan:
    """The fewest moves for the members of a group that are in this cell. Changes nothing."""
    index = rooms.index_of(tx, settings)
    found_there = [server for server in tx.servers(ids).values() if _is_there(tx, server)]
    members = [server for server in found_there if server.state is not ServerState.STOPPING]
    why_held = {server.id: why for server in members if (why := _why_held(tx, server)) is not None}
    found = restoring.fewest_moves(
        index,
        members,
        movable=frozenset(server.id for server in members) - why_held.keys(),
        now=now,
        floor_permille=settings.floor_permille,
        decisions_max=decisions_max,
        with_ties=with_ties,
    )
    hosts = [server.host for server in members]
    held = {server.name: why_held[server.id] for server in members
            if server.id in why_held and hosts.count(server.host) > 1}  # fmt: skip
    return CellPlan(found, held, tuple(sorted(server.name for server in found_there if server not in members)))


def _is_there(tx: CellTransaction, server: Server) -> bool:
    is_up = server.host is not None and lifecycle.has_host(server.state)
    return is_up and tx.load(server.host or "").host.state is not HostState.DOWN


def _why_held(tx: CellTransaction, server: Server) -> str | None:
    if server.state is not ServerState.RUNNING:
        return f"is {server.state}"
    if server.notice_until is not None:
        return "is to make room for another"
    return "has a lost drive" if rooms.lost_drives(tx, server.id) else None


def plan_in_cell(
    tx: CellTransaction, names: Mapping[str, str], ids: Sequence[str], *, at: datetime, settings: Settings
) -> CellPlan:
    """The moves, and what they come to when they begin at `at`. Leaves the transaction as they end.

    `names` are all members of the group, in all cells, by id: each is started avoiding all others.
    """
    tasks.run_due_in_cell(tx, at, settings=settings, no_earlier_than=None)
    plan = find_in_cell(tx, ids, now=at, settings=settings)
    by_name = sorted(names, key=lambda id: (names[id], id))
    moves = [
        Move(
            step.server_id,
            names[step.server_id],
            tx.cell,
            step.source,
            step.target,
            step.stops,
            0,
            tuple(id for id in by_name if id != step.server_id),
        )
        for step in plan.restoration.steps
    ]
    done, ends_at = carry_out(tx, moves, at=at, settings=settings)
    is_as_found = [(each.move.target, each.move.stops) for each in done] == [(m.target, m.stops) for m in moves]
    return replace(plan, done=tuple(done), ends_at=ends_at, is_as_found=is_as_found, after=tx.servers(ids))


def carry_out(
    tx: CellTransaction, moves: Iterable[Move], *, at: datetime, settings: Settings
) -> tuple[list[Done], datetime]:
    """Each move to its end, up to the first that does not come to a host of its own. And when the last one runs."""
    done: list[Done] = []
    ends_at = at
    for move in moves:
        tasks.run_due_in_cell(tx, at, settings=settings, no_earlier_than=None)
        before = tx.find_server(move.server)
        if before is None or before.host != move.source or _why_held(tx, before) is not None:
            return done, ends_at
        begun_at = at
        known: dict[str, Server] = {}
        step = _Step("stop", at)
        for _ in range(STEPS_MAX):
            if step.is_over:
                break
            tasks.run_due_in_cell(tx, step.due_at, settings=settings, no_earlier_than=None)
            if step.phase == "start":
                known = {each.id: each for each in tx.load(move.target).servers}
            at = step.due_at
            step = _take_step(tx, move, step, at=at, settings=settings, actor="cloud")
        decision = step.decision
        if decision is None or not step.is_up or decision.avoided or decision.host == move.source:
            return done, ends_at
        ends_at = at
        made = replace(move, target=decision.host, stops=decision.stops, shrinks=decision.shrinks)
        stops = tuple(known[id] if id in known else tx.server(id) for id in decision.stops)
        done.append(Done(made, before, stops, decision.waits, (at - begun_at).total_seconds()))
    return done, ends_at


# --- the steps of one move -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Step:
    """What is to be done next with a member, and when."""

    phase: Phase
    due_at: datetime
    decision: Decision | None = None
    """Of its start, once it was started."""
    result: str = ""
    is_over: bool = False
    is_up: bool = False


def _take_step(
    tx: CellTransaction,
    move: Move,
    step: _Step,
    *,
    at: datetime,
    settings: Settings,
    actor: str,
    key: str | None = None,
) -> _Step:
    """Do what is due. With `key`, what was done before under the same is not done again."""
    request = None if key is None else RequestKey(f"{key}/{step.phase}", move.server)
    match step.phase:
        case "stop":
            begun = servers.stop_in_cell(tx, move.server, now=at, action="shutdown", actor=actor, request=request)
            assert begun.task is not None, "a shutdown takes time"
            return replace(step, phase="start", due_at=max(at, begun.task.due_at))
        case "start":
            return _start(tx, move, step, request, at=at, settings=settings, actor=actor)
        case "up":
            return _look(tx, move, step, at=at)


def _start(
    tx: CellTransaction,
    move: Move,
    step: _Step,
    request: RequestKey | None,
    *,
    at: datetime,
    settings: Settings,
    actor: str,
) -> _Step:
    if request is not None and (answer := request.remembered(tx)) is not None:
        return _look(tx, move, _placed(move, step, Decision.from_json(answer)), at=at)
    server = tx.find_server(move.server)
    if server is None:
        return replace(step, is_over=True, result=f"{move.name} was deleted")
    if server.state in (ServerState.STOPPING, ServerState.UNAVAILABLE):
        # Its host was lost while it was shut down: it is stopped when that is given up, or back.
        return replace(step, due_at=at + timedelta(seconds=lifecycle.HOST_RETURN_SECONDS))
    if server.state is not ServerState.STOPPED:
        return replace(step, is_over=True, result=f"{move.name} went its own way")
    found = drains.start_again(tx, server, avoid=move.avoid, now=at, settings=settings, actor=actor)
    if isinstance(found, str):
        return replace(step, is_over=True, result=f"{move.name} stays stopped: {found}")
    if request is not None:
        tx.remember(request.key, request.digest, found.to_json())
    return _look(tx, move, _placed(move, step, found), at=at)


def _placed(move: Move, step: _Step, decision: Decision) -> _Step:
    return replace(step, phase="up", decision=decision, result=f"{move.name} to {decision.host}")


def _look(tx: CellTransaction, move: Move, step: _Step, *, at: datetime) -> _Step:
    """Whether it runs again. While it starts: when to look next."""
    server = tx.find_server(move.server)
    if server is None or server.state not in (ServerState.STARTING, ServerState.RUNNING):
        state = "gone" if server is None else server.state
        return replace(step, is_over=True, result=f"{step.result}, and is {state} now")
    if server.state is ServerState.RUNNING:
        return replace(step, is_over=True, is_up=True)
    starts = [task.due_at for task in tx.open_tasks_of(server.id) if task.kind == "start"]
    notices = [each.notice_until for each in tx.load(server.host or "").victims if each.notice_until is not None]
    seconds = lifecycle.TRANSITIONS["server"]["start"].duration_seconds
    due_at = min(starts, default=None) or max(notices, default=at + timedelta(seconds=seconds))
    return replace(step, due_at=max(due_at, at + timedelta(seconds=1)))


# --- the chain, in cloud.db ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Chain:
    """What a task of the chain remembers."""

    move: Move
    number: int
    """Of this move, from 1."""
    left: tuple[Move, ...]
    """Those after it."""
    step: _Step
    is_ending: bool = False
    """Whether the rest is not to be moved."""

    def to_payload(self) -> dict[str, Any]:
        decision = self.step.decision
        return {
            "server": self.move.server,
            "name": self.move.name,
            "cell": self.move.cell,
            "step": self.number,
            "steps": self.number + len(self.left),
            "phase": self.step.phase,
            "move": self.move.to_json(),
            "left": [move.to_json() for move in self.left],
            "decision": None if decision is None else decision.to_json(),
            "result": self.step.result,
            "is_ending": self.is_ending,
        }

    @classmethod
    def of(cls, task: Task) -> _Chain:
        stored = task.payload
        decision = None if stored["decision"] is None else Decision.from_json(stored["decision"])
        return cls(
            Move.from_json(stored["move"]),
            int(stored["step"]),
            tuple(Move.from_json(move) for move in stored["left"]),
            _Step(stored["phase"], task.due_at, decision, stored["result"]),
            bool(stored["is_ending"]),
        )


def _open_chain(tx: CloudTransaction, group: str) -> Task | None:
    return next((task for task in tx.open_tasks_of(group) if task.object_kind == "group"), None)


def _schedule(tx: CloudTransaction, group: str, chain: _Chain, *, at: datetime, actor: str) -> Task:
    return tx.schedule("restore", "group", group, begun_at=at, due_at=at, actor=actor, payload=chain.to_payload())


async def begin(
    cloud: Cloud, actor_name: str, group: str, moves: Sequence[Move], *, request: RequestKey | None = None
) -> Task:
    """Begin to carry out the moves of a plan. Returns the task of the first.

    Raises:
        Conflict: it is under way already, or what would be done is not that any more.
    """
    assert moves, "there is something to do"

    def open_chain(tx: CloudTransaction) -> tuple[Task, bool]:
        if request is not None and (answer := request.remembered(tx)) is not None:
            task = tx.find_task(answer["task"])
            assert task is not None, "tasks are kept"
            return task, False
        if _open_chain(tx, group) is not None:
            raise Conflict(f"Group {group} is being restored already.")
        now = cloud.clock.now()
        chain = _Chain(moves[0], 1, tuple(moves[1:]), _Step("stop", now))
        task = _schedule(tx, group, chain, at=now, actor=actor_name)
        if request is not None:
            tx.remember(request.key, request.digest, {"task": task.id})
        return task, True

    task, is_new = await cloud.store.cloud_write(open_chain)
    if is_new:
        await _run(cloud, task)
    after = await cloud.store.cloud_read(lambda tx: tx.find_task(task.id))
    assert after is not None, "tasks are kept"
    return _begun(after)


def _begun(task: Task) -> Task:
    """The first task of a chain. Raises Conflict where it was over before anybody was stopped."""
    if task.state is TaskState.CANCELLED and task.payload["phase"] == "stop":
        raise Conflict(f"{task.result} Nothing was done; look at the plan again.")
    return task


async def answered(cloud: Cloud, request: RequestKey) -> Task | None:
    """The task that this request began before; None where it is new. Raises Conflict."""

    def find(tx: CloudTransaction) -> Task | None:
        answer = request.remembered(tx)
        return None if answer is None else tx.find_task(answer["task"])

    task = await cloud.store.cloud_read(find)
    return None if task is None else _begun(task)


async def end(cloud: Cloud, group: str, *, request: RequestKey | None = None) -> Task:
    """Move nobody any more: the member that is on its way starts, the rest stays. Raises NotFound."""
    now = cloud.clock.now()

    def mark(tx: CloudTransaction) -> Task:
        task = _open_chain(tx, group)
        if task is None:
            raise NotFound("restoration of group", group)
        return tx.reschedule(task, due_at=task.due_at, payload={**task.payload, "is_ending": True}, at=now)

    def ending(tx: CloudTransaction, told: Any) -> Task:
        task = tx.find_task(told["task"])
        assert task is not None, "tasks are kept"
        return task

    once = repeats.once(cloud, request, mark, again=ending, tells=lambda task: {"task": task.id})
    return await cloud.store.cloud_write(once)


async def run_due(cloud: Cloud, until: datetime) -> int:
    """Take the steps that are due by `until`, each at its own instant. Returns how many."""
    count = 0
    while due := await cloud.store.cloud_read(lambda tx: _due(tx, until)):
        for task in due:
            await _run(cloud, task)
            count += 1
    return count


def _due(tx: CloudTransaction, until: datetime) -> list[Task]:
    return [task for task in tx.due_tasks(until) if task.kind == "restore" and "waits_for" not in task.payload]


async def _run(cloud: Cloud, task: Task) -> None:
    chain = _Chain.of(task)
    cell = chain.move.cell
    resumed_at = cloud.resumed_at.get(cell)
    at = task.due_at if resumed_at is None else max(task.due_at, resumed_at)
    if chain.is_ending and chain.step.phase == "stop":
        result = f"{chain.move.name} and the rest stay: it was ended"
        await _apply(cloud, task, chain, replace(chain.step, is_over=True, result=result), at=at)
        return
    if cloud.store.reachability(cell).state is ReachabilityState.UP:
        try:
            step = await cloud.store.cell_write(
                cell, lambda tx: _run_in_cell(tx, task, chain, at=at, settings=cloud.settings, resumed_at=resumed_at)
            )
        except (Unreachable, OutcomeUnknown):
            pass
        else:
            await _apply(cloud, task, chain, step, at=at)
            return
        if cloud.store.reachability(cell).state is ReachabilityState.UP:
            # It answers and takes nothing, as with a full disk. To ask again at once would be to ask for ever.
            await cloud.store.cloud_write(lambda tx: _put_off(tx, task, at + timedelta(seconds=RETRY_SECONDS)))
            return
    await cloud.store.cloud_write(lambda tx: _wait_for(tx, task, cell))
    if cloud.store.reachability(cell).state is ReachabilityState.UP:
        # It was back before it was waited for.
        await resume(cloud, [cell])


def _run_in_cell(
    tx: CellTransaction,
    task: Task,
    chain: _Chain,
    *,
    at: datetime,
    settings: Settings,
    resumed_at: datetime | None,
) -> _Step:
    key, step = f"{STEPS}{task.id}", chain.step
    if step.phase == "stop" and tx.remembered(f"{key}/stop") is None:
        problem = tx.undone(lambda: _problem(tx, chain, at=at, settings=settings))
        if problem is not None:
            return replace(step, is_over=True, result=problem)
    tasks.run_due_in_cell(tx, at, settings=settings, no_earlier_than=resumed_at)
    return _take_step(tx, chain.move, step, at=at, settings=settings, actor=task.actor, key=key)


def _problem(tx: CellTransaction, chain: _Chain, *, at: datetime, settings: Settings) -> str | None:
    """Why the moves that are left in this cell would not be those of the plan; None when they would."""
    tasks.run_due_in_cell(tx, at, settings=settings, no_earlier_than=None)
    moves = [move for move in (chain.move, *chain.left) if move.cell == tx.cell]
    for move in moves:
        server = tx.find_server(move.server)
        if server is None:
            return f"{move.name} was deleted."
        if server.host != move.source:
            return f"{move.name} is not on {move.source} any more."
        why = _why_held(tx, server)
        if why is not None:
            return f"{move.name} {why}."
    done, _ = carry_out(tx, moves, at=at, settings=settings)
    for move, made in zip(moves, done, strict=False):
        if made.move.target != move.target:
            return f"{move.name} would now start on {made.move.target} instead of {move.target}."
        if sorted(made.move.stops) != sorted(move.stops):
            return f"{move.name} would now stop {len(made.move.stops)} servers instead of {len(move.stops)}, or others."
    if len(done) < len(moves):
        return f"{moves[len(done)].name} would not come to a host of its own any more."
    return None


async def _apply(cloud: Cloud, task: Task, chain: _Chain, step: _Step, *, at: datetime) -> None:
    """Write down what was done in the cell, and what is next. Whoever else has run the same step may have done so."""

    def write(tx: CloudTransaction) -> None:
        current = tx.find_task(task.id)
        if current is None or current.state is not TaskState.OPEN or current.payload["phase"] != chain.step.phase:
            return
        now = replace(_Chain.of(current), step=step)
        if not step.is_over:
            tx.reschedule(current, due_at=step.due_at, payload=now.to_payload())
            return
        _end(tx, current, now, at=at)

    await cloud.store.cloud_write(write)


def _end(tx: CloudTransaction, task: Task, chain: _Chain, *, at: datetime) -> None:
    """The move is over. The next one begins if this one went as planned."""
    step, move = chain.step, chain.move
    decision = step.decision
    is_as_planned = step.is_up and decision is not None and decision.host == move.target
    all_ = chain.number + len(chain.left)
    if step.phase == "stop":
        tx.end_task(task, TaskState.CANCELLED, at=at, result=step.result)
    else:
        result = f"{chain.number} of {all_}: {step.result}"
        if is_as_planned and chain.left and chain.is_ending:
            result += "; the rest stays: it was ended"
        elif not is_as_planned and chain.left:
            result += "; the rest stays, as this is not what was planned"
        tx.end_task(task, TaskState.DONE, at=at, result=result)
    if is_as_planned and chain.left and not chain.is_ending:
        following = _Chain(chain.left[0], chain.number + 1, chain.left[1:], _Step("stop", at))
        _schedule(tx, task.object_id, following, at=at, actor=task.actor)
        return
    moved = chain.number if step.is_up else chain.number - 1
    details = {"moved": moved, "planned": all_}
    tx.emit("group.restored", "group", task.object_id, at=at, actor=task.actor, details=details)


def _wait_for(tx: CloudTransaction, task: Task, cell: str) -> None:
    current = tx.find_task(task.id)
    if current is not None and current.state is TaskState.OPEN and "waits_for" not in current.payload:
        tx.reschedule(current, due_at=current.due_at, payload={**current.payload, "waits_for": cell})


def _put_off(tx: CloudTransaction, task: Task, due_at: datetime) -> None:
    current = tx.find_task(task.id)
    if current is not None and current.state is TaskState.OPEN:
        tx.reschedule(current, due_at=due_at, payload=current.payload)


async def resume(cloud: Cloud, cells: Iterable[str]) -> None:
    """These cells answer: what waits for them goes on."""
    answering, now = frozenset(cells), cloud.clock.now()

    def wake(tx: CloudTransaction) -> None:
        for task in tx.tasks(is_open=True, limit=10_000):
            if task.kind == "restore" and task.payload.get("waits_for") in answering:
                payload = {name: value for name, value in task.payload.items() if name != "waits_for"}
                tx.reschedule(task, due_at=task.due_at, payload=payload, at=now)

    await cloud.store.cloud_write(wake)
