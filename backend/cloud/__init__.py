"""The pure core: values in, decisions out. No IO, no clock, no SQL, no HTTP, no chance.

Glossary
    host                 a physical machine: `compute` runs servers, `storage` holds drives
    cell                 a group of hosts that is reached, and fails, as one
    server               a virtual machine; drive: a virtual disk, placed on storage by itself
    backfilling server   lives on spare capacity: shrunk, then stopped, when normal servers need the room
    floor                the least a backfilling server is shrunk to, fixed when it starts
    factor               effective / nominal size of a backfilling server, per dimension (`perf_factor`)
    notice, grace        a stop for room is announced, and carried out when the grace is over
    committed, physical  two accountings of a host: what is decided, and what really runs (see `backfill`)
    availability group   the servers that now share a compute host (drives: a storage host): an observation
    avoid                a wish, in order of preference, to be on another host than these; best effort
    placement            the decision of a host, with reasons
    partial construct    what is known of a server whose cell does not answer
    schedule, backup     a cron rule, and the copies that it takes; a missed run is not a failed one
    source, part         what a backup is of: a server, a project, a customer; one server's copy in that of more
    retention            which backups of a schedule stay, by age, number and periods; drill: a restore to see it works
    interval             what one object had from when to when, as its events say; what is billed follows from these
    tick                 five simulated minutes: a row of the ledger for each resource, and how long a burst level lasts
    burst                what is used beyond the subscriptions; its level, and so its price, follows the cloud's load
    operation            something one can ask of the cloud; task: work with a due instant; event: a fact

Invariants (`backend.check` verifies them on a folder)
    No host holds more than its capacity. A server that holds a host has exactly one.
    A stopped server holds none, but keeps its cell and its drives.
    The factors of a host are a pure function of what is on it.
    An IP, and a hardware address, is on one network interface at most, in the whole cloud.
    What a backup is charged for is what it holds; a part has its whole.
    What is billed is what the intervals add up to: none counted twice, none left out, none of backfilling subscribed.
    Events of a file are numbered without gaps, and every change of state has one.

Reading order: model, lifecycle, backfill, stops, placement, index, avoiding, certificates, explain, groups, backups,
retention, previews, agenda, cells, networks, metering, prices, subscriptions, billing, errors.
"""
