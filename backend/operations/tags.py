"""Tags as objects: what they are called, and what carries them.

There is one mechanism: an object carries words, and a tag is a word of its project. So whatever gives an object a word,
this API, the Compute API's tags or an operator's, has tagged it, and `group:NAME` is a tag like any other, whose
servers an operator sees as a group. A tag that was made here has a row, so that it can be empty, be renamed and have
meta; any other is known by what carries it, and gets a row when it is changed.

What lies in a cell that does not answer keeps its words, and is missing among what a tag is known to be on. So a tag is
renamed or deleted only while every cell answers in which its project has anything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import count
from uuid import UUID, uuid5

from backend.cloud.errors import Forbidden, Invalid, NotFound, Unreachable
from backend.cloud.model import GROUP_TAG_PREFIX, Account
from backend.cloud.networks import TAG_NAME_LENGTH_MAX, TAGS_PER_OBJECT_MAX, Address, Tag, Vlan
from backend.operations import Cloud, owned
from backend.operations.servers import projects_of
from backend.store import ADDRESS, TAG, VLAN, CellTransaction, CloudTransaction

CLOUD = "cloud"
Kind = str
"""`server`, `drive`, `address` or `vlan`."""


@dataclass(frozen=True, slots=True)
class Tagged:
    """Something that may carry words."""

    kind: Kind
    id: str
    project_id: str
    owner: str
    words: tuple[str, ...]
    file: str
    """The cell that it is in, or `cloud`."""


class TagNames:
    """The ids of words: that of the tag's row, or one that is made of the word, and is no row's."""

    def __init__(self, cloud_id: str, tags: Iterable[Tag]) -> None:
        self._cloud_id = UUID(cloud_id)
        self._ids = {(tag.project_id, tag.name): tag.id for tag in tags}
        self._taken = set(self._ids.values())
        self.generation = hash(frozenset(self._ids.items()))
        """The same where every word has the same id."""

    def id_of(self, project_id: str, word: str) -> str:
        found = self._ids.get((project_id, word))
        if found is None:
            made = (str(uuid5(self._cloud_id, f"tag/{project_id}/{word}" + "/again" * times)) for times in count())
            # A tag that was renamed has kept the id that was made of its first name.
            found = self._ids[project_id, word] = next(id for id in made if id not in self._taken)
        return found

    def take(self, tag: Tag) -> None:
        """It has a row now, and no other gets its id."""
        self._ids[tag.project_id, tag.name] = tag.id
        self._taken.add(tag.id)


@dataclass(frozen=True, slots=True)
class View:
    """The tags that an account may see, in the order of creation, and what carries each, as far as it is known."""

    names: TagNames
    tags: tuple[Tag, ...]
    carriers: Mapping[str, Sequence[Tagged]]
    """By the tag's id."""
    silent: Mapping[str, str]
    """Cells that do not answer, and why."""

    def find(self, id: str) -> Tag:
        """Raises NotFound."""
        for tag in self.tags:
            if tag.id == id:
                return tag
        raise NotFound("tag", id)

    def of(self, tag: Tag) -> Sequence[Tagged]:
        return self.carriers.get(tag.id, ())


async def names(cloud: Cloud) -> TagNames:
    async def make() -> TagNames:
        return TagNames(cloud.store.cloud_id, await cloud.store.cloud_read(lambda tx: tx.owned(TAG)))

    found: TagNames = await cloud.kept.of("tag names", make)
    return found


async def view(cloud: Cloud, actor: Account) -> View:
    async def make() -> View:
        return await _view(cloud, projects_of(actor))

    found: View = await cloud.kept.of(("tags", projects_of(actor)), make)
    return found


async def _view(cloud: Cloud, projects: frozenset[str] | None) -> View:
    def find_centrally(tx: CloudTransaction) -> tuple[list[Tag], list[Tagged]]:
        carriers = [*_central(tx.owned(ADDRESS, projects=projects), "address")]
        carriers += _central(tx.owned(VLAN, projects=projects), "vlan")
        return tx.owned(TAG), carriers

    rows, carriers = await cloud.store.cloud_read(find_centrally)
    answers = await cloud.store.each_cell(lambda tx: tx.tagged())
    silent = {}
    for cell, answer in answers.items():
        if isinstance(answer, list):
            carriers += [
                Tagged(kind, id, project_id, owner, words, cell) for kind, id, project_id, owner, words in answer
            ]
        else:
            silent[cell] = cloud.store.reachability(cell).reason
    tag_names = TagNames(cloud.store.cloud_id, rows)
    tags = {tag.id: tag for tag in rows if projects is None or tag.project_id in projects}
    by_tag: dict[str, list[Tagged]] = {}
    made_at = cloud.store.created_at
    for each in carriers:
        if projects is not None and each.project_id not in projects:
            continue
        for word in each.words:
            id = tag_names.id_of(each.project_id, word)
            by_tag.setdefault(id, []).append(each)
            if id not in tags:
                tags[id] = Tag(id, each.project_id, each.owner, made_at, word, version=0)
    ordered = sorted(tags.values(), key=lambda tag: (tag.created_at, tag.name, tag.id))
    return View(tag_names, tuple(ordered), by_tag, silent)


def _central(things: Iterable[Address | Vlan], kind: Kind) -> list[Tagged]:
    return [Tagged(kind, thing.id, thing.project_id, thing.owner, thing.tags, CLOUD) for thing in things if thing.tags]


# --- making and changing ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TagSpec:
    """What a tag is to be; None leaves a part of one that exists as it is."""

    name: str | None = None
    meta: Mapping[str, str] | None = None
    carriers: tuple[str, ...] | None = None
    """Ids of servers, drives, addresses and private networks: these carry it, and no others that are known of."""


def check_name(name: str) -> None:
    """Raises Invalid."""
    if not 1 <= len(name) <= TAG_NAME_LENGTH_MAX or not name.isprintable() or name != name.strip():
        raise Invalid(
            "name", f"must be 1 to {TAG_NAME_LENGTH_MAX} printable characters, without spaces at its beginning and end"
        )
    try:
        UUID(name)
    except ValueError:
        return
    raise Invalid("name", "must not be a UUID: it would be taken for the tag of that id")


async def create_tags(cloud: Cloud, actor: Account, specs: Sequence[TagSpec]) -> list[Tag]:
    """In the account's project; all rows or none, when all that is to carry them has their words.

    So asking again finds the rest. What cannot be done all of is not begun.

    Raises:
        Forbidden, Invalid, OverQuota, Unreachable.
    """
    owned.may_create(actor, "tag")
    known = await view(cloud, actor)
    for spec in specs:
        check_name(spec.name or "")
    plans = [
        await _plan(cloud, actor, known, project_id=actor.project_id, word=spec.name or "", wanted=spec.carriers or ())
        for spec in specs
    ]
    now = cloud.clock.now()

    def draft(tx: CloudTransaction) -> list[Tag]:
        owned.check_room(tx, TAG, actor.project_id, len(specs))
        rows, made = tx.owned(TAG), []
        tag_names = TagNames(cloud.store.cloud_id, rows)
        taken = {tag.name for tag in rows if tag.project_id == actor.project_id}
        for spec in specs:
            name = spec.name or ""
            if name in taken:
                raise _taken()
            made.append(
                Tag(tag_names.id_of(actor.project_id, name), actor.project_id, actor.name, now, name, spec.meta or {})
            )
            taken.add(name)
            tag_names.take(made[-1])
        return made

    def create(tx: CloudTransaction) -> list[Tag]:
        made = draft(tx)
        for tag in made:
            owned.add(tx, actor, TAG, tag)
        return made

    await cloud.store.cloud_read(draft)
    for plan in plans:
        await plan.carry_out(cloud, actor)
    return await cloud.store.cloud_write(create)


def _check_is_new(tx: CloudTransaction, project_id: str, name: str) -> None:
    if any(tag.name == name for tag in tx.owned(TAG, projects=frozenset({project_id}))):
        raise _taken()


def _taken() -> Invalid:
    return Invalid("name", "another tag has this name")


async def edit_tag(cloud: Cloud, actor: Account, tag_id: str, spec: TagSpec) -> Tag:
    """The tag is called otherwise when all that carries it has the new word, so that asking again finds the rest.

    Raises NotFound, Forbidden, Invalid, Unreachable; what it cannot do all of, it does not begin.
    """
    known = await view(cloud, actor)
    tag = known.find(tag_id)
    _check_may_change(actor, tag)
    name = tag.name if spec.name is None else spec.name
    if name != tag.name:
        check_name(name)
        await _check_whole(cloud, known, tag, "rename")
    before = known.of(tag)
    wanted = tuple(each.id for each in before) if spec.carriers is None else spec.carriers
    plan = await _plan(
        cloud, actor, known, project_id=tag.project_id, word=name, before=before, wanted=wanted, word_before=tag.name
    )
    now = cloud.clock.now()

    def edit(tx: CloudTransaction) -> Tag:
        if name != tag.name:
            _check_is_new(tx, tag.project_id, name)
        row = tx.find_owned(TAG, tag.id)
        if row is None:
            row = replace(tag, created_at=now, version=1)
            owned.add(tx, actor, TAG, row)
        after = replace(row, name=name, meta=row.meta if spec.meta is None else spec.meta)
        return tx.save_owned(TAG, row, after, at=now, actor=actor.name)

    if name != tag.name:
        await cloud.store.cloud_read(lambda tx: _check_is_new(tx, tag.project_id, name))
    await plan.carry_out(cloud, actor)
    return await cloud.store.cloud_write(edit)


async def delete_tag(cloud: Cloud, actor: Account, tag_id: str) -> None:
    """Nothing carries it any more. Raises NotFound, Forbidden, Unreachable."""
    known = await view(cloud, actor)
    tag = known.find(tag_id)
    _check_may_change(actor, tag)
    await _check_whole(cloud, known, tag, "delete")
    plan = await _plan(cloud, actor, known, project_id=tag.project_id, word=tag.name, before=known.of(tag))
    await plan.carry_out(cloud, actor)
    now = cloud.clock.now()

    def remove(tx: CloudTransaction) -> None:
        row = tx.find_owned(TAG, tag.id)
        if row is not None:
            tx.remove_owned(TAG, row, at=now, actor=actor.name)

    await cloud.store.cloud_write(remove)


def _check_may_change(actor: Account, tag: Tag) -> None:
    if not actor.may_change(tag.project_id):
        raise Forbidden("change the tag", "this account may only look at it")


async def _check_whole(cloud: Cloud, known: View, tag: Tag, action: str) -> None:
    """Whether all is known of what carries it, and it is free to go. Raises Forbidden, Unreachable."""

    def find(tx: CloudTransaction) -> tuple[bool, list[str]]:
        groups = tx.server_groups(project_id=tag.project_id)
        is_groups = any(GROUP_TAG_PREFIX + group.name == tag.name for group in groups)
        only = frozenset({tag.project_id})
        cells = (
            {entry.cell for entry in tx.server_entries(projects=only, cells=known.silent)} if known.silent else set()
        )
        if known.silent:
            cells |= {entry.cell for entry in tx.drive_entries(projects=only, cells=known.silent)}
        return is_groups, sorted(cells)

    is_groups, silent = await cloud.store.cloud_read(find)
    if is_groups:
        raise Forbidden(f"{action} the tag", "it is that of a server group; delete the group")
    if silent:
        raise Unreachable(silent[0], known.silent[silent[0]])


# --- what carries a tag -----------------------------------------------------------------------------------------------


Retags = Mapping[tuple[Kind, str], tuple[bool, bool]]
"""By kind and id, whether something loses a word, and whether it gets one."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """Which objects of each file lose a word, get one, or both."""

    loses: str
    gets: str
    by_file: Mapping[str, Retags]

    async def carry_out(self, cloud: Cloud, actor: Account) -> None:
        """File by file. Each step may be repeated: asking for the same again finishes what a failure cut short."""
        now = cloud.clock.now()
        for file, changes in self.by_file.items():
            if file == CLOUD:
                await cloud.store.cloud_write(partial(self._retag_centrally, changes, now, actor.name))
            else:
                await cloud.store.cell_write(file, partial(self._retag_in_cell, changes, now, actor.name))

    def _words(self, words: Sequence[str], change: tuple[bool, bool]) -> tuple[str, ...]:
        loses, gets = change
        kept = [word for word in words if not (loses and word == self.loses)]
        if gets and self.gets not in kept and len(kept) < TAGS_PER_OBJECT_MAX:
            kept.append(self.gets)
        return tuple(kept)

    def _retag_in_cell(self, changes: Retags, now: datetime, actor: str, tx: CellTransaction) -> None:
        servers = tx.servers([id for kind, id in changes if kind == "server"])
        drives = tx.drives([id for kind, id in changes if kind == "drive"])
        for (kind, id), change in changes.items():
            if kind == "server" and id in servers:
                server = servers[id]
                after = replace(server, tags=self._words(server.tags, change))
                tx.save_server(server, after, kind="server.edited", at=now, actor=actor)
            if kind == "drive" and id in drives:
                drive = drives[id]
                tagged = replace(drive, tags=self._words(drive.tags, change))
                tx.save_drive(drive, tagged, kind="drive.edited", at=now, actor=actor)

    def _retag_centrally(self, changes: Retags, now: datetime, actor: str, tx: CloudTransaction) -> None:
        for (kind, id), change in changes.items():
            if kind == "address" and (address := tx.find_owned(ADDRESS, id)) is not None:
                after = replace(address, tags=self._words(address.tags, change))
                tx.save_owned(ADDRESS, address, after, at=now, actor=actor)
            if kind == "vlan" and (vlan := tx.find_owned(VLAN, id)) is not None:
                retagged = replace(vlan, tags=self._words(vlan.tags, change))
                tx.save_owned(VLAN, vlan, retagged, at=now, actor=actor)


async def _plan(
    cloud: Cloud,
    actor: Account,
    known: View,
    *,
    project_id: str,
    word: str,
    before: Sequence[Tagged] = (),
    wanted: Collection[str] = (),
    word_before: str | None = None,
) -> _Plan:
    """What has to change so that of all that is known only `wanted` carries the word.

    Raises:
        Invalid: something that is not there, is of another project, or carries too many tags already.
        Unreachable: something that is to be tagged lies in a cell that does not answer.
        Forbidden: a server of a server group would lose the tag that makes it one.
    """
    loses = word if word_before is None else word_before
    carrying = {each.id: each for each in before}
    fresh = list(dict.fromkeys(id for id in wanted if id not in carrying))

    def look(tx: CloudTransaction) -> tuple[dict[str, tuple[Kind, str, str]], set[str]]:
        found: dict[str, tuple[Kind, str, str]] = {}
        for entry in tx.server_entries(ids=fresh):
            found[entry.id] = ("server", entry.project_id, entry.cell)
        for drive in tx.drive_entries(ids=fresh):
            found[drive.id] = ("drive", drive.project_id, drive.cell)
        for kind in ("address", "vlan"):
            for id, project in tx.projects_of_owned(kind, fresh).items():
                found[id] = (kind, project, CLOUD)
        grouped: set[str] = set()
        if loses.startswith(GROUP_TAG_PREFIX):
            for group in tx.server_groups(project_id=project_id):
                if GROUP_TAG_PREFIX + group.name == loses:
                    grouped |= {entry.id for entry in tx.server_entries_of_group(group.id)}
        return found, grouped

    found, grouped = await cloud.store.cloud_read(look)
    changes: dict[str, dict[tuple[Kind, str], tuple[bool, bool]]] = {}
    for id in fresh:
        kind, project, file = found.get(id, ("", "", ""))
        if not kind or not actor.may_see(project):
            raise Invalid("resources", f"there is no server, drive, IP or VLAN {id}")
        if project != project_id:
            raise Invalid("resources", f"{kind} {id} is of another project than the tag")
        if file in known.silent:
            raise Unreachable(file, known.silent[file])
        changes.setdefault(file, {})[kind, id] = (False, True)
    counts = {each.id: len(each.words) for carriers in known.carriers.values() for each in carriers}
    for id in fresh:
        if counts.get(id, 0) >= TAGS_PER_OBJECT_MAX:
            raise Invalid("resources", f"{id} has {TAGS_PER_OBJECT_MAX} tags already")
    stays = set(wanted)
    for each in before:
        is_kept = each.id in stays
        if not is_kept and each.id in grouped:
            raise Forbidden("take the tag off", f"server {each.id} is in the server group of this name")
        if not is_kept or loses != word:
            changes.setdefault(each.file, {})[each.kind, each.id] = (True, is_kept)
    return _Plan(loses, word, changes)


async def words_of(
    cloud: Cloud, actor: Account, sent: Sequence[str], project_id: str, current: Sequence[str]
) -> tuple[str, ...]:
    """The words behind what a client sent as an object's tags: ids of tags of its project, or words as they are.

    Raises:
        Invalid: the id of a tag that the project does not have; a word that no tag can be called.
    """
    tag_names = await names(cloud)
    by_id = {tag_names.id_of(project_id, word): word for word in current}
    if any(_is_id(tag) and tag not in by_id for tag in sent):
        known = await view(cloud, actor)
        by_id |= {tag.id: tag.name for tag in known.tags if tag.project_id == project_id}
    found = []
    for tag in sent:
        if tag in by_id:
            found.append(by_id[tag])
        elif _is_id(tag):
            raise Invalid("tags", f"there is no tag {tag}")
        else:
            if tag not in current:
                check_name(tag)
            found.append(tag)
    return tuple(dict.fromkeys(found))


def _is_id(text: str) -> bool:
    return len(text) == 36 and text.count("-") == 4
