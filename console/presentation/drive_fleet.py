"""All drives that the console knows, once a view has asked for them. Immutable to its readers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from operator import attrgetter

from console.presentation.ordered import Ordered
from console.records import DriveRecord


class DriveFleet(Ordered[DriveRecord]):
    """Drives by id. `changed` gives the next one; this one stays as it is."""

    @cached_property
    def names_in_use(self) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
        """The hosts, cells and media that rows name."""
        rows = self.by_id.values()
        hosts, cells, media = (set(map(attrgetter(field), rows)) for field in ("host", "cell", "media"))
        return frozenset(hosts - {None}), frozenset(cells), frozenset(media - {None})

    @cached_property
    def by_server(self) -> Mapping[str, Sequence[DriveRecord]]:
        """The drives of each server that has any, in the order of their names."""
        found: dict[str, list[DriveRecord]] = defaultdict(list)
        for row in self.by_name():
            if row.server_id is not None:
                found[row.server_id].append(row)
        return found
