"""Verifies what the event of a placement says beside its proof: what is so or is not, without any search.

    floors        fixed at the start, from the size, the server's own thresholds and the cloud's; never changed while
                  it runs
    the decision  whether it waits for room, whom it shrinks, what it could not avoid, and who came second by what
    backfilling   a backfilling server disturbs nobody when it starts, or says whom it shrinks; then every other host
                  is looked at

Of the host that came second it is verified that it has room and does not come first; that nobody comes before it, only
where a backfilling server shrinks others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from backend.event_log import Breach, CellLog, Event, Picture
from backend.host_account import DIMENSIONS, SMALLEST, Hosts

FLOORS = ("cpu_mhz_floor", "memory_bytes_floor")
OWN_THRESHOLDS = ("cpu_floor_permille", "memory_floor_permille")
Ranks = Mapping[str, Sequence[int]]


class Rules(NamedTuple):
    """What a cloud decides by. It is settled when the cloud is made."""

    policy: str = "spread"
    floor_permille: int = 250
    start_level_permille: int = 1000

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Rules:
        policy = settings.get("placement", cls().policy)
        return cls(policy, *(settings.get(name, getattr(cls(), name)) for name in cls._fields[1:]))


def check_floors(event: Event, before: Picture, rules: Rules) -> None:
    """Of a server, whatever happens to it; `before` is empty where it is new."""
    is_placed, changes = event.kind == "server.placed", event.changes
    if not is_placed and changes.keys().isdisjoint(FLOORS):
        return
    if not is_placed and all(changes.get(floor, (None, None))[1] is None for floor in FLOORS):
        return
    if not is_placed and before:
        raise Breach(f"event {event.number} changes a floor of {event.object_id}, which is fixed while it runs")
    server = {**before, **{column: after for column, (_, after) in event.changes.items()}}
    for dimension, column, threshold, smallest in zip(DIMENSIONS, FLOORS, OWN_THRESHOLDS, SMALLEST, strict=True):
        size, floor = server[dimension], server[column]
        permille = min(1000, max(server[threshold], rules.floor_permille if is_placed else 0))
        least = max(-(-size * permille // 1000), min(size, smallest)) if server["is_backfilling"] else size
        if not least <= floor <= (least if is_placed else size):
            raise Breach(f"event {event.number} gives {event.object_id} a floor of {floor:,}, and not of {least:,}")


def check_decision(event: Event, server: Picture, hosts: Hosts, rules: Rules) -> Ranks:
    """What a certified decision says of itself and of its host. Gives by host what is there of its avoid list."""
    said, proof = event.details["decision"], event.details["certificate"]
    host, size = hosts.of(said["host"], without=event.object_id), (server["cpu_mhz"], server["memory_bytes"])
    if (proof["v"], proof["policy"]) != (1, rules.policy):
        raise Breach(f"the certificate is of form {proof['v']} and decides by {proof['policy']}, not {rules.policy}")
    if ("level" in proof) != server["is_backfilling"]:
        raise Breach("the certificate is for the other kind of servers")
    if said["shrinks"] != proof["key"][3]:
        raise Breach(f"the decision shrinks {said['shrinks']}, and its certificate {proof['key'][3]}")
    avoid = event.changes.get("avoid", ((), server.get("avoid") or []))[1]
    ranks = hosts.ranks(avoid, server, proof.get("hidden", ()))
    held, claimed = ranks.get(host.name, []), proof.get("avoid", [])
    if held != claimed or said["avoided"] != [avoid[place] for place in held]:
        raise Breach(f"{host.name} holds {held} of the avoid list, not {claimed}: {said['avoided']}")
    waits = bool(said["stops"]) or host.is_waited_for or not host.has_room_now(size)
    if said["waits"] is not (waits and not server["is_backfilling"]):
        raise Breach(f"the decision says that it {'waits' if said['waits'] else 'does not wait'} for room")
    if said["is_proved"] is not True and not proof.get("gap"):
        raise Breach("the decision is not proved, and the certificate has no gap")
    return ranks


def check_second(said: Mapping[str, Any], hosts: Hosts, itself: str, size: Sequence[int], ranks: Ranks) -> None:
    """Who came second to the host of a normal server, and by what."""
    name, second, by = said["host"], said["runner_up"], said["decided_by"]
    if second is None or by == "only":
        others = [each for each in hosts.names() if each != name and hosts.of(each, without=itself).has_room(size)]
        if others or second is not None or by != "only":
            raise Breach(f"{(others or [name])[0]} has room, and the decision is for the only host that has")
        return
    if second == name or not hosts.of(second, without=itself).has_room(size):
        raise Breach(f"{second}, which came second, has no room")
    classes = [[-rank for rank in ranks.get(each, ())] for each in (name, second)]
    if (classes[0] < classes[1]) != (by == "avoid"):
        raise Breach(f"{name} does not come before {second} by {by}")
    if classes[0] != classes[1]:
        return
    found = hosts.of(name, without=itself), hosts.of(second, without=itself)
    if any(max(host.short(size)) > 0 for host in found):
        # Who stops there is not worked out here; that fewer do on one than on the other may be plain all the same.
        is_plain = len(said["stops"]) < found[1].fewest(size)
        if is_plain and by != "disruption":
            raise Breach(f"{second} has to stop more, and the decision is by {by}")
        return
    shrunk, rooms = ([host.shrunk(size, ()) for host in found], [host.room for host in found])
    wanted = "disruption" if shrunk[0] != shrunk[1] else "room" if rooms[0] != rooms[1] else "name"
    if by != wanted:
        raise Breach(f"{name} comes before {second} by {wanted}, not by {by}")


def check_backfilling(event: Event, server: Picture, log: CellLog, hosts: Hosts, rules: Rules) -> bool:
    """The start of a backfilling server. Whether it has a certificate, because it shrinks others."""
    said, proof = event.details["decision"], event.details.get("certificate")
    size = server["cpu_mhz"], server["memory_bytes"]
    host = hosts.of(said["host"], without=event.object_id)
    floor = [event.changes.get(column, (None, server.get(column)))[1] for column in FLOORS]
    shrunk = host.shrunk_beside(size, floor)
    if said["stops"] or any(host.free(rules.start_level_permille)[d] < size[d] for d in (0, 1)):
        raise Breach(f"{host.name} has no room for it, with everybody at {rules.start_level_permille} thousandths")
    if proof is None:
        if shrunk:
            raise Breach("it disturbs others and has no certificate")
        return False
    claimed, key = [proof["after"], *proof["key"]], [log.number, 0, 0, 0, shrunk]
    if claimed != key or proof.get("level") != rules.start_level_permille or set(proof) & {"gap", "hints"}:
        raise Breach(f"the certificate claims {claimed} at level {proof.get('level')}, not {key}")
    ranks = check_decision(event, server, hosts, rules)
    sign = -1 if rules.policy == "spread" else 1
    order = []
    for name in hosts.names():
        there = hosts.of(name, without=event.object_id)
        if all(there.free(rules.start_level_permille)[d] >= size[d] for d in (0, 1)):
            order.append(([-rank for rank in ranks.get(name, ())], [sign * room for room in there.room], name))
    best = sorted(order)[:2]
    by = "only"
    if len(best) > 1:
        by = "avoid" if best[0][0] != best[1][0] else "room" if best[0][1] != best[1][1] else "name"
    found = [each[2] for each in best]
    if [said["host"], *([said["runner_up"]] if said["runner_up"] else [])] != found or said["decided_by"] != by:
        raise Breach(f"by {by}, {found[:1]} comes first and {found[1:]} second")
    return True
