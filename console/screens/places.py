"""Where the operator is, was, and may return to. Pure: values in, values out.

A place is a view with what belongs to it: its scope, filter, order, cursor, marks. Drilling in starts a clean place;
going back restores the old one, filter and all, because the filter belongs to the place and not to the console.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Place:
    """A view and how it was left."""

    view: str
    scope: str | None = None
    """What it is narrowed to: a cell, a group; for a page, the key that it is about."""
    filter: str = ""
    sort: str = ""
    is_descending: bool = False
    cursor: str | None = None
    region: int | None = None
    """The table that the cursor is in: the same object may be a row of two."""
    marks: frozenset[str] = frozenset()
    past_at: datetime | None = None
    """The instant in the past that is looked at; None at the present."""
    modes: frozenset[str] = frozenset()
    """What was toggled here: the view's own words, such as `memory`."""
    decision: int | None = None
    """The decision that is explained; None for the one that a page begins with."""
    came_from: str = ""
    """The cloud whose list of several led here, to which esc goes back."""

    def is_same_room(self, other: "Place") -> bool:
        """Whether both show the same view of the same scope."""
        return (self.view, self.scope) == (other.view, other.scope)


PLACES_KEPT = 100


@dataclass(frozen=True, slots=True)
class Trail:
    """The stack that esc climbs, and the history that [ and ] walk."""

    stack: tuple[Place, ...]
    past: tuple[tuple[Place, ...], ...] = field(default=())
    future: tuple[tuple[Place, ...], ...] = field(default=())

    @classmethod
    def begin(cls, root: str, landing: str | None = None) -> "Trail":
        """A trail that begins at a view: the root, or another one that esc leaves for the root."""
        return cls((Place(root),) if landing in (None, root) else (Place(root), Place(landing)))

    @property
    def here(self) -> Place:
        """The place that is shown."""
        return self.stack[-1]

    def left_as(self, place: Place) -> "Trail":
        """The same trail, with what is known now about how this place is left."""
        return replace(self, stack=(*self.stack[:-1], place))

    def enter(self, place: Place) -> "Trail":
        """Drill in: esc comes back here. Entering the room one is in only changes it."""
        if place.is_same_room(self.here):
            return self.left_as(place)
        return Trail((*self.stack, place)[-PLACES_KEPT:], self._remembered(), ())

    def jump(self, place: Place, root: str) -> "Trail":
        """Go to another view by its name: esc then leads to the root view and nowhere else."""
        if place.is_same_room(self.here) and len(self.stack) <= 2:
            return self.left_as(replace(place, cursor=self.here.cursor, marks=self.here.marks))
        base = next((p for p in self.stack if p.view == root and p.scope is None), Place(root))
        stack = (place,) if place.view == root and place.scope is None else (base, place)
        return Trail(stack, self._remembered(), ())

    def back(self) -> "Trail":
        """One place up the stack; the root stays."""
        if len(self.stack) == 1:
            return self
        return Trail(self.stack[:-1], self._remembered(), ())

    def earlier(self) -> "Trail":
        """The place that was shown before this one."""
        if not self.past:
            return self
        return Trail(self.past[-1], self.past[:-1], (self.stack, *self.future))

    def later(self) -> "Trail":
        """The place that was shown after this one, after `earlier`."""
        if not self.future:
            return self
        return Trail(self.future[0], (*self.past, self.stack), self.future[1:])

    def _remembered(self) -> tuple[tuple[Place, ...], ...]:
        return (*self.past, self.stack)[-PLACES_KEPT:]
