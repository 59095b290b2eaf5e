"""One story for each operation that spans files, in a cloud that has something of everything."""

from __future__ import annotations

from dataclasses import replace

from backend.cloud.catalogue import FLAVORS, IMAGES
from backend.cloud.errors import NotFound
from backend.cloud.history import HISTORY_SECONDS_MIN
from backend.cloud.model import GIB, Drive, Server, ServerState, Size
from backend.cloud.networks import Tag
from backend.cloud.subscriptions import Asked
from backend.operations import (
    RequestKey,
    accounts,
    backup_restores,
    backup_views,
    backups,
    billing,
    boots,
    cells,
    clones,
    drives,
    editing,
    groups,
    library,
    losses,
    plans,
    resizing,
    schedules,
    server_clones,
    server_groups,
    servers,
    settings,
    sizing,
    snapshots,
    subscriptions,
    tags,
)
from backend.operations.clone_plans import CloneSpec
from backend.operations.drives import DriveSpec
from backend.operations.editing import ServerChanges
from backend.operations.servers import ServerSpec
from tests.backend.crashing import Story
from tests.backend.support import Harness

KEY = RequestKey("operator/1", "digest")
SMALL = Size(2000, GIB)
STORAGE_ABROAD = "s2-1"


async def find_server(on: Harness, name: str) -> Server | None:
    listing = await servers.list_servers(on.cloud, on.operator)
    return next((item for item in listing.items if isinstance(item, Server) and item.name == name), None)


async def find_drive(on: Harness, name: str) -> Drive | None:
    listing = await drives.list_drives(on.cloud, on.operator)
    return next((item for item in listing.items if isinstance(item, Drive) and item.name == name), None)


async def server(on: Harness, name: str) -> Server:
    """Raises NotFound."""
    found = await find_server(on, name)
    if found is None:
        raise NotFound("server", name)
    return found


async def drive(on: Harness, name: str) -> Drive:
    """Raises NotFound."""
    found = await find_drive(on, name)
    if found is None:
        raise NotFound("drive", name)
    return found


async def find_tag(on: Harness, name: str) -> Tag | None:
    known = await tags.view(on.cloud, on.operator)
    return next((tag for tag in known.tags if tag.name == name), None)


async def prepare(on: Harness) -> None:
    """Servers that run, that are stopped and that share a host; drives at home and abroad; backups and the rest."""
    cloud, who, name = on.cloud, on.operator, on.operator.name
    db = await on.server("db", cell="cell-1")
    for place, cell in enumerate(("cell-1", "cell-2")):
        made = await drives.create_drive(cloud, who, DriveSpec(f"db-{cell}", GIB, cell=cell))
        await on.engine.advance(3)
        await drives.attach_drive(cloud, who, made.id, db.id, channel=f"0:{place}")
    web = await on.server("web", cell="cell-1", is_backfilling=False)
    for disk, where in (("web-disk", "cell-1"), ("web-far", "cell-2"), ("loose", "cell-1")):
        made = await drives.create_drive(cloud, who, DriveSpec(disk, GIB, cell=where))
        await on.engine.advance(3)
        if disk != "loose":
            await drives.attach_drive(cloud, who, made.id, web.id, channel="0:0" if where == "cell-1" else "0:1")
    await servers.start_server(cloud, who, db.id)
    others = ["c1-h2", "c1-h3"]
    for host in others:
        await losses.fail_host(cloud, name, host)
    for number in (1, 2):
        await on.running(f"member-{number}", vcpus=1, cell="cell-1", tags=("group:pair",))
    for host in others:
        await losses.recover_host(cloud, name, host)
    await on.running("render", cell="cell-2", is_backfilling=True)
    await editing.edit_server(cloud, who, (await server(on, "render")).id, ServerChanges(restarts=True))
    await on.server("bare", cell="cell-2")
    await backups.create_backup(cloud, who, "server", web.id)
    await snapshots.create_snapshots(cloud, who, [snapshots.SnapshotSpec((await drive(on, "loose")).id, "shot")])
    carriers = (db.id, (await drive(on, "db-cell-2")).id)
    await tags.create_tags(cloud, who, [tags.TagSpec("kept", carriers=carriers)])
    await server_groups.create_group(cloud, who, "soft", is_hard=False)
    await subscriptions.buy(cloud, who, [Asked("dssd", 10 * GIB, period="1 month", renews=True)])
    await on.engine.advance(600)
    await billing.ledger(cloud, name, limit=1)
    await on.engine.save_clock()


async def create_server(on: Harness) -> None:
    await servers.create_server(on.cloud, on.operator, ServerSpec("new", SMALL), request=KEY)


async def start_with_a_drive_abroad(on: Harness) -> None:
    await servers.start_server(on.cloud, on.operator, (await server(on, "web")).id, request=KEY)


async def delete_server(on: Harness) -> None:
    await servers.delete_server(on.cloud, on.operator, (await server(on, "web")).id, recurse="all_drives")


async def delete_server_and_keep_drives(on: Harness) -> None:
    await servers.delete_server(on.cloud, on.operator, (await server(on, "web")).id)


async def delete_running_server(on: Harness) -> None:
    await boots.delete_server(on.cloud, on.operator, (await server(on, "db")).id)


async def delete_instance(on: Harness) -> None:
    await backup_views.delete_instance(on.cloud, on.operator, (await server(on, "bare")).id)


async def edit_server(on: Harness) -> None:
    changes = ServerChanges(size=Size(6000, 2 * GIB), is_backfilling=True)
    await editing.edit_server(on.cloud, on.operator, (await server(on, "web")).id, changes)


async def describe_server(on: Harness) -> None:
    """By an operation of several, which is one transaction then."""
    await editing.edit_server(on.cloud, on.operator, (await server(on, "db")).id, ServerChanges(meta={"role": "x"}))


async def resize_server(on: Harness) -> None:
    await sizing.resize_server(on.cloud, on.operator, (await server(on, "web")).id, Size(4000, 2 * GIB))


async def create_drive(on: Harness) -> None:
    await drives.create_drive(on.cloud, on.operator, DriveSpec("new", GIB), request=KEY)


async def attach_drive(on: Harness) -> None:
    bare = await server(on, "bare")
    await drives.attach_drive(on.cloud, on.operator, (await drive(on, "loose")).id, bare.id)


async def detach_drive(on: Harness) -> None:
    await drives.detach_drive(on.cloud, on.operator, (await drive(on, "web-far")).id)


async def resize_drive(on: Harness) -> None:
    await resizing.resize_drive(on.cloud, on.operator, (await drive(on, "loose")).id, 3 * GIB)


async def delete_drive(on: Harness) -> None:
    await drives.delete_drive(on.cloud, on.operator, (await drive(on, "loose")).id)


async def clone_drive(on: Harness) -> None:
    source = await drive(on, "web-disk")
    await clones.clone_drive(on.cloud, on.operator, source.id, name="copy", cell="cell-2", request=KEY)


async def clone_image(on: Harness) -> None:
    spec = DriveSpec("from-image", IMAGES[0].size_bytes)
    await library.clone_image(on.cloud, on.operator, IMAGES[0], spec, request=KEY)


async def clone_snapshot(on: Harness) -> None:
    (shot,) = await snapshots.list_snapshots(on.cloud, on.operator)
    await snapshots.clone_snapshot(on.cloud, on.operator, shot.id, name="thawed", request=KEY)


async def clone_server(on: Harness) -> None:
    spec = CloneSpec("twin", is_started=True)
    await server_clones.clone_server(on.cloud, on.operator, (await server(on, "db")).id, spec, request=KEY)


async def boot_server(on: Harness) -> None:
    """Which takes no key: whoever hears no answer looks whether it is there before asking again."""
    if await find_server(on, "booted") is None:
        size_bytes = IMAGES[0].size_bytes
        spec = boots.BootSpec("booted", SMALL, FLAVORS[0].id, image=IMAGES[0], boot_drive_bytes=size_bytes)
        await boots.boot_server(on.cloud, on.operator, spec)


async def boot_and_start_a_member(on: Harness) -> None:
    """From a drive abroad, so that the other cell has a say."""
    ((group, _),) = await server_groups.list_groups(on.cloud, on.operator)
    if await find_server(on, "sheep") is None:
        volumes = [boots.Volume((await drive(on, "loose")).id, is_deleted_with_server=True)]
        spec = boots.BootSpec("sheep", SMALL, FLAVORS[0].id, volumes=volumes, group_id=group.id)
        await boots.boot_server(on.cloud, on.operator, spec)
        await on.engine.advance(30)
    sheep = await server(on, "sheep")
    if sheep.state is ServerState.RUNNING:
        await servers.stop_server(on.cloud, on.operator, sheep.id)
        await on.engine.advance(30)
    entry = await on.cloud.store.cloud_read(lambda tx: tx.find_server_entry(sheep.id))
    assert entry is not None
    await boots.start_member(on.cloud, on.operator, entry)


async def restore(on: Harness) -> None:
    (kept,) = await backups.list_backups(on.cloud, on.operator)
    spec = backup_restores.RestoreSpec(FLAVORS[1], "back")
    await backup_restores.restore(on.cloud, on.operator, kept.backup.id, spec, request=KEY)


async def lose_a_storage_host(on: Harness) -> None:
    await losses.fail_host(on.cloud, on.operator.name, STORAGE_ABROAD, request=KEY)


async def lose_it_and_have_it_back(on: Harness) -> None:
    await losses.fail_host(on.cloud, on.operator.name, STORAGE_ABROAD, request=KEY)
    await on.engine.advance(20)
    await losses.recover_host(on.cloud, on.operator.name, STORAGE_ABROAD, request=replace(KEY, key="operator/2"))


async def restore_a_group(on: Harness) -> None:
    await groups.restore_group(on.cloud, on.operator, on.pictures, "pair", request=KEY)


async def withdraw_backfilling(on: Harness) -> None:
    await accounts.allow_backfilling(on.cloud, on.operator, on.operator.name, may=False)


async def create_tag(on: Harness) -> None:
    carriers = ((await server(on, "web")).id, (await drive(on, "web-far")).id)
    await tags.create_tags(on.cloud, on.operator, [tags.TagSpec("new", carriers=carriers), tags.TagSpec("empty")])


async def rename_tag(on: Harness) -> None:
    """By its id, as a client does that asks for the same again."""
    found = await find_tag(on, "kept") or await find_tag(on, "renamed")
    assert found is not None
    carriers = ((await server(on, "web")).id, (await drive(on, "db-cell-2")).id)
    await tags.edit_tag(on.cloud, on.operator, found.id, tags.TagSpec("renamed", carriers=carriers))


async def rename_tag_that_is_carried(on: Harness) -> None:
    found = await find_tag(on, "kept") or await find_tag(on, "renamed")
    assert found is not None
    await tags.edit_tag(on.cloud, on.operator, found.id, tags.TagSpec("renamed"))


async def delete_tag(on: Harness) -> None:
    found = await find_tag(on, "kept")
    if found is not None:
        await tags.delete_tag(on.cloud, on.operator, found.id)


async def extend_a_subscription(on: Harness) -> None:
    found = await subscriptions.list_subscriptions(on.cloud, on.operator)
    if len(found) == 1:
        await subscriptions.extend(on.cloud, on.operator, found[0].number, period="1 month")


async def give_a_balance(on: Harness) -> None:
    await billing.give_balance(on.cloud, on.operator, on.operator.name, 10**6 * 10**20)


async def read_the_ledger(on: Harness) -> None:
    """After something happened that is to be paid."""
    await servers.stop_server(on.cloud, on.operator, (await server(on, "db")).id)
    await on.engine.advance(400)
    await billing.ledger(on.cloud, on.operator.name, limit=100)


async def preview(on: Harness) -> None:
    await plans.preview(on.cloud, on.operator, (await server(on, "web")).id, "start")


async def advance_the_clock(on: Harness) -> None:
    await on.engine.advance(45, request=KEY)


async def schedule_and_drill(on: Harness) -> None:
    """It runs once in the time that follows, and the copy is restored to see that it can be."""
    if not await schedules.list_schedules(on.cloud, on.operator):
        source = await server(on, "web")
        await schedules.create_schedule(
            on.cloud, on.operator, source.id, cron="15 * * * *", backups_max=1, drill_days=1
        )


async def silence_and_return(on: Harness) -> None:
    """A cell falls silent with work under way that nobody has been billed for, and is back."""
    render = await find_server(on, "render")
    if render is not None and render.state is ServerState.RUNNING:
        await servers.stop_server(on.cloud, on.operator, render.id)
    await on.cloud.store.flush_last_known()
    await cells.inject(on.cloud, on.operator, "cell-2", "down")
    await on.engine.noted()
    await on.engine.advance(60)
    await billing.ledger(on.cloud, on.operator.name, limit=100)
    await cells.inject(on.cloud, on.operator, "cell-2", "up")
    await on.engine.noted()


async def miss_a_schedule(on: Harness) -> None:
    """Its source is silent when it falls due, and the run is caught up when it is back."""
    if not await schedules.list_schedules(on.cloud, on.operator):
        source = await server(on, "web")
        await schedules.create_schedule(on.cloud, on.operator, source.id, cron="15 * * * *", backups_max=1)
    await silent_for(on, 600)


async def restore_a_group_that_falls_silent(on: Harness) -> None:
    await groups.restore_group(on.cloud, on.operator, on.pictures, "pair", request=KEY)
    await silent_for(on, 60)


async def silent_for(on: Harness, seconds: float) -> None:
    await cells.inject(on.cloud, on.operator, "cell-1", "down")
    await on.engine.noted()
    await on.engine.advance(seconds)
    await cells.inject(on.cloud, on.operator, "cell-1", "up")
    await on.engine.noted()
    await on.engine.run_due()


async def forget_what_is_old(on: Harness) -> None:
    """In each file, of a server that is gone and of some that stay."""
    if (bare := await find_server(on, "bare")) is not None:
        await servers.delete_server(on.cloud, on.operator, bare.id)
    # The newest event of a file stays.
    await editing.edit_server(on.cloud, on.operator, (await server(on, "render")).id, ServerChanges(meta={"by": "me"}))
    await settings.change_settings(on.cloud, on.operator, history_seconds=HISTORY_SECONDS_MIN)
    await on.engine.advance(HISTORY_SECONDS_MIN + 600)


STORIES = [
    Story("create a server", create_server),
    Story("start a server with a drive abroad", start_with_a_drive_abroad),
    Story("delete a server with its drives", delete_server),
    Story("delete a server and keep its drives", delete_server_and_keep_drives),
    Story("delete a server that runs", delete_running_server, is_whole=False),
    Story("delete an instance", delete_instance),
    Story("edit a server", edit_server),
    Story("describe a server", describe_server),
    Story("resize a server", resize_server),
    Story("create a drive", create_drive),
    Story("attach a drive", attach_drive),
    Story("detach a drive abroad", detach_drive),
    Story("resize a drive", resize_drive),
    Story("delete a drive", delete_drive),
    Story("clone a drive into another cell", clone_drive),
    Story("clone an image", clone_image),
    Story("clone a snapshot", clone_snapshot),
    Story("clone a server", clone_server),
    Story("boot a server", boot_server),
    Story("boot and start a member of a group", boot_and_start_a_member, is_whole=False),
    Story("restore a backup", restore),
    Story("lose a storage host", lose_a_storage_host),
    Story("lose a storage host and have it back", lose_it_and_have_it_back, is_whole=False),
    Story("restore a group", restore_a_group),
    Story("withdraw backfilling", withdraw_backfilling),
    Story("create a tag", create_tag, is_whole=False),
    Story("rename a tag and say what carries it", rename_tag, is_whole=False),
    Story("rename a tag", rename_tag_that_is_carried, is_whole=False),
    Story("delete a tag", delete_tag, is_whole=False),
    Story("extend a subscription", extend_a_subscription),
    Story("give a balance", give_a_balance),
    Story("read the ledger", read_the_ledger, is_whole=False),
    Story("preview a start", preview),
    Story("advance the clock", advance_the_clock),
    Story("a schedule and its drill", schedule_and_drill),
    Story("a schedule that is missed and caught up", miss_a_schedule, is_whole=False),
    Story("restore a group that falls silent", restore_a_group_that_falls_silent, is_whole=False),
    Story("forget what is old", forget_what_is_old, is_whole=False),
    Story("a cell falls silent and returns", silence_and_return, is_whole=False),
]
