"""Everything durable: one SQLite file for the cloud, one for each cell. The only SQL of the project.

A function that is given to the store runs in a file's lane, takes a transaction, and returns plain values; it never
awaits and never keeps the transaction. What it wrote is durable when the call returns.

Map, from the disk upwards
    schema_*.sql     the tables, with what must always be true of them as CHECKs
    migrations       how a file comes to the schema of today
    files            opening a file, and knowing that it is still the one that was opened
    rows             objects of the model as rows, and what an event says of a change
    damage           rows that nobody has written so
    frozen           making many frozen objects at the cost of ordinary ones
    entries          what is known centrally, as frozen values
    transaction      what one job may ask of any file: events, tasks, remembered requests
    cell, cloud      what it may ask of a cell, and of cloud.db; its parts are backups, billing, last_known,
                     networks, server_groups, snapshots, and central_rows what their objects have in common
    lane             the threads: group commits, snapshots, claims
    link             one cell as it is reached: silence, the probe, back-off, injected faults, return
    mirror           what was last known of every object, behind the cells' commits
    pages            pages over the cells at the cost of the page
    creation         making a folder, all of it or none of it
    looking          reading a folder from outside, whoever serves it
    copying          copies of all files of a folder as they were at one instant
    forgetting       what of the past goes, and what the log adds up to at its beginning
    rewinding        rows as they were before an event
    fleet            `Store`, which puts these together
    past, past_files the same at a moment of the past: copies that events are undone on
"""

from backend.store.backups import Place, Wanted
from backend.store.cell import CellTransaction
from backend.store.cloud import CloudTransaction
from backend.store.copying import CLOUD_FILE, FolderSnapshot, check_copy, snapshot_of
from backend.store.creation import FolderWriter, create_folder, flush, is_made, staged
from backend.store.entries import (
    CellEntry,
    DriveEntry,
    EntryState,
    HostEntry,
    LastKnown,
    Page,
    PageRow,
    Project,
    ServerEntry,
    ServerGroup,
    Usage,
)
from backend.store.files import DISK_FULL, OLDER_THAN_LOG, FolderError, name_of_cell
from backend.store.fleet import LIST_DEADLINE_SECONDS, FileFigures, Store
from backend.store.forgetting import ForgottenRows
from backend.store.lane import Commit
from backend.store.looking import FolderLook, look
from backend.store.migrations import SCHEMA_VERSIONS
from backend.store.networks import ADDRESS, FIREWALL_POLICY, KEY_PAIR, TAG, VLAN
from backend.store.pages import Sort, key_of
from backend.store.past import PastStore
from backend.store.rewinding import Rewinding
from backend.store.rows import Table
from backend.store.transaction import STEPS, LogBeginning, Transaction

__all__ = [
    "ADDRESS",
    "CLOUD_FILE",
    "DISK_FULL",
    "FIREWALL_POLICY",
    "KEY_PAIR",
    "LIST_DEADLINE_SECONDS",
    "OLDER_THAN_LOG",
    "SCHEMA_VERSIONS",
    "STEPS",
    "TAG",
    "VLAN",
    "CellEntry",
    "CellTransaction",
    "CloudTransaction",
    "Commit",
    "DriveEntry",
    "EntryState",
    "FileFigures",
    "FolderError",
    "FolderLook",
    "FolderSnapshot",
    "FolderWriter",
    "ForgottenRows",
    "HostEntry",
    "LastKnown",
    "LogBeginning",
    "Page",
    "PageRow",
    "PastStore",
    "Place",
    "Project",
    "Rewinding",
    "ServerEntry",
    "ServerGroup",
    "Sort",
    "Store",
    "Table",
    "Transaction",
    "Usage",
    "Wanted",
    "check_copy",
    "create_folder",
    "flush",
    "is_made",
    "key_of",
    "look",
    "name_of_cell",
    "snapshot_of",
    "staged",
]
