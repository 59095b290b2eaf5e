"""How fast it is, against something: `python -m tests.benchmarks [NAME ...] [--json]`.

Every name is a module here that measures one line of the budgets: our side against a named rival or floor, both in one
interleaved run (ours, rival, ours, rival, ...), so that whatever else the machine does hits both. What is shown is the
median over the rounds and the quartiles; ratios travel between machines, absolute figures do not.

    __main__       the command; runs what is asked for and prints it
    figures        what a figure is: its rival, its budget, and whether that is met
    measuring      rounds, spreads, the disk's fsync, another process's memory and CPU
    fleets         folders with as many servers as are wanted
    report         lines for a terminal, JSON, and the tables of MEASURED.md
    NAME           one module for each of `NAMES`; its docstring says what is measured, and how

What is written while measuring goes to the temporary folder: TMPDIR chooses the disk. Figures of other processes come
from /proc, so they need Linux.
"""

NAMES = (
    "first_paint",
    "cursor_key",
    "list_work",
    "key_under_load",
    "placement",
    "preemption",
    "rivals",
    "list_page",
    "hung_cell",
    "operations",
    "recovery",
    "replay",
    "cron_next",
    "schedule_tick",
    "ledger_page",
    "memory",
    "idle",
)
"""In the order in which they are run and shown."""
