"""What a new drive or server is to be: what was typed as values of the API, and the dialog that is typed into.

A size is said with its unit, because a bare number would be bytes to one reader and GiB to another. Units are binary,
as everywhere on the screen; `GB` is refused for the same reason. Arithmetic is exact.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from console.presentation import figures
from console.presentation.lines import Frame, Line, Placed, Span, Tone, at, cells, compose, left, take, wrap
from console.records_parts import ImageRecord, Limits

NAME_LENGTH_MAX = 255
"""Source: the API's own document, `DriveToMake` and `ServerToMake`."""
ANYWHERE = "any"
"""What stands for no cell: the cloud chooses."""
VALUE_COLUMN = 13
_INTEGER_MAX = 2**63 - 1
"""Of the wire."""

_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([mgt])(?:i?b?)?", re.IGNORECASE)
_DECIMAL = re.compile(r".*[mgt]b\s*", re.IGNORECASE)
_CPU = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*(mhz|ghz|g|m)?", re.IGNORECASE)
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,6})?|\.\d{1,6})\s*(%)?")
_BYTES = {"m": 2**20, "g": 2**30, "t": 2**40}


class Wrong(NamedTuple):
    """What was typed makes no sense; the sentence says what does."""

    sentence: str


def read_name(text: str) -> str | Wrong:
    name = text.strip()
    if not name:
        return Wrong("a name is needed")
    if len(name) > NAME_LENGTH_MAX:
        return Wrong(f"the name has {len(name)} characters; {NAME_LENGTH_MAX} is the most")
    return name


def clone_name(name: str, taken: Collection[str | None]) -> str:
    """What to propose for a copy: `web-clone`, or with the first number from 2 on that nobody is called by."""
    for number in itertools.count(1):
        suffix = "-clone" if number == 1 else f"-clone-{number}"
        proposed = name[: NAME_LENGTH_MAX - len(suffix)] + suffix
        if proposed not in taken:
            return proposed
    raise AssertionError("numbers do not end")


def read_size(text: str) -> int | Wrong:
    """Bytes of `20G`, `120 GiB`, `0.5 TiB`."""
    text = text.strip()
    expected = "type a number and its unit, such as 20G, 120 GiB or 1.5T"
    if not text:
        return Wrong(f"a size is needed; {expected}")
    found = _SIZE.fullmatch(text)
    if found is None:
        return Wrong(f"{text} is not a size; {expected}")
    if _DECIMAL.fullmatch(text):
        return Wrong(f"{text} could be read as 1000 or 1024 based; sizes are 1024 based: {expected}")
    size = Fraction(found[1]) * _BYTES[found[2].casefold()]
    if size <= 0:
        return Wrong(f"{text} is nothing at all; {expected}")
    if size > _INTEGER_MAX:
        return Wrong(f"{text} is more than any cloud has; {expected}")
    # A part of a byte is nobody's wish: 0.3 GiB is rounded, as it is where it is shown.
    return max(1, round(size))


def read_cpu(text: str) -> int | Wrong:
    """MHz of `4 GHz`, `4000`, `2500 MHz`: a bare number is MHz, as in the API."""
    text = text.strip()
    expected = "type GHz or MHz, such as 4 GHz or 4000"
    if not text:
        return Wrong(f"CPU is needed; {expected}")
    found = _CPU.fullmatch(text)
    if found is None:
        return Wrong(f"{text} is not an amount of CPU; {expected}")
    unit = (found[2] or "m").casefold()
    mhz = Fraction(found[1]) * (1000 if unit.startswith("g") else 1)
    if mhz <= 0:
        return Wrong(f"{text} is nothing at all; {expected}")
    if mhz.denominator != 1:
        return Wrong(f"{text} is not whole MHz; {expected}")
    return int(mhz)


def read_floor(text: str) -> float | Wrong | None:
    """A share from 0.001 to 1 of `0.25` or `25%`; None of nothing: then the cloud's own floor holds."""
    text = text.strip()
    if not text:
        return None
    found = _SHARE.fullmatch(text)
    share = None if found is None else Fraction(found[1]) / (100 if found[2] else 1)
    if share is None or not Fraction(1, 1000) <= share <= 1:
        return Wrong(f"{text} is not a floor; type a share from 0.001 to 1, such as 0.25 or 25%")
    return float(share)


def avoid_reader(
    ids_by_name: Callable[[str], Sequence[str]], kind: str = "server"
) -> Callable[[str], list[str] | Wrong | None]:
    """Reads names or ids with commas between them as ids, in their order; None of nothing."""
    plural = kind.replace(" ", "s ", 1) + "s"

    def read(text: str) -> list[str] | Wrong | None:
        found: list[str] = []
        for name in (part.strip() for part in text.split(",")):
            if not name:
                continue
            ids = ids_by_name(name)
            if not ids:
                return Wrong(f"no {kind} is called {name}; type names or ids with commas between them")
            if len(ids) > 1:
                return Wrong(f"{len(ids)} {plural} are called {name}; type the id of the one that is meant")
            found += [id_ for id_ in ids if id_ not in found]
        return found or None

    return read


@dataclass(frozen=True, slots=True)
class Field:
    """One line of the dialog. With `choices` the text is one of them, and nothing is typed."""

    name: str
    """What the value is called on the wire."""
    label: str
    read: Callable[[str], Any]
    """The value of what was typed, or Wrong."""
    note: str
    choices: tuple[str, ...] = ()
    text: str = ""
    """What it begins with; of choices, the first where it is none of them."""


def within(read: Callable[[str], Any], least: int, most: int, shown: Callable[[int], str]) -> Callable[[str], Any]:
    """Reads as `read` does, and says where a number is out of its limits."""

    def reading(text: str) -> Any:
        value = read(text)
        if isinstance(value, int) and not least <= value <= most:
            side = f"less than the least, {shown(least)}" if value < least else f"more than the most, {shown(most)}"
            return Wrong(f"{text.strip()} is {side}")
        return value

    return reading


def amount_of_cpu(cpu_mhz: int) -> str:
    """Exact, as it may be typed: `4 GHz`, `250 MHz`."""
    return f"{cpu_mhz // 1000} GHz" if cpu_mhz % 1000 == 0 else f"{cpu_mhz} MHz"


def _as_media(text: str) -> str:
    return text


def _as_cell(text: str) -> str | None:
    return None if text == ANYWHERE else text


def _is_backfilling(text: str) -> bool:
    return text == "backfilling"


def cell_field(cells: Sequence[str], *, begins: str = ANYWHERE) -> Field:
    note = "left and right choose; any: the cloud chooses where it fits best"
    return Field("cell", "cell", _as_cell, note, (ANYWHERE, *cells), begins)


EMPTY = "nothing: it is empty"
"""What stands for no image of the library."""


def drive_fields(
    cells: Sequence[str],
    *,
    limits: Limits | None = None,
    images: Sequence[ImageRecord] = (),
    ids_by_name: Callable[[str], Sequence[str]] = lambda _: (),
) -> tuple[Field, ...]:
    """What is asked about a new drive. `ids_by_name` finds drives, and servers, to avoid."""
    size: Callable[[str], Any] = read_size
    note = "such as 20G, 120 GiB or 1.5T"
    if limits is not None:
        least, most = limits.drive_bytes
        size = within(read_size, least, most, figures.amount_of_bytes)
        left = _left(limits.storage_bytes_left, figures.amount_of_bytes)
        note = f"{figures.amount_of_bytes(least)} to {figures.amount_of_bytes(most)}{left}"
    ids = {f"{image.name}, {figures.amount_of_bytes(image.size_bytes)}": image.id for image in images}
    begins_as = Field("image", "begins as", ids.get, "left and right choose; a copy of an image is at least as large",
                      (EMPTY, *ids))  # fmt: skip
    return (
        Field("name", "name", read_name, "what to call it"),
        Field("size_bytes", "size", size, note),
        Field("media", "media", _as_media, "left and right choose", ("disk", "cdrom")),
        cell_field(cells),
        *((begins_as,) if ids else ()),
        Field(
            "avoid",
            "avoid",
            avoid_reader(ids_by_name, "drive or server"),
            "drives, or servers with all of theirs, whose storage hosts to stay away from; the first one first",
        ),
    )


def _left(amount: int | None, shown: Callable[[int], str]) -> str:
    return "" if amount is None else f"; the project has {shown(amount)} left"


def size_fields(
    limits: Limits | None, *, cpu_mhz: int | None = None, memory_bytes: int | None = None, room: str = ""
) -> tuple[Field, Field]:
    """CPU and memory of a server, with what it may have; they begin with what it has."""
    cpu: Callable[[str], Any] = read_cpu
    memory: Callable[[str], Any] = read_size
    cpu_note, memory_note = "such as 4 GHz or 4000 (MHz)", "such as 8G or 512 MiB"
    if limits is not None:
        least, most = limits.cpu_mhz
        cpu = within(read_cpu, least, most, amount_of_cpu)
        left = _left(limits.cpu_mhz_left, amount_of_cpu)
        cpu_note = f"{amount_of_cpu(least)} to {amount_of_cpu(most)}{left}"
        least, most = limits.memory_bytes
        memory = within(read_size, least, most, figures.amount_of_bytes)
        left = _left(limits.memory_bytes_left, figures.amount_of_bytes)
        memory_note = f"{figures.amount_of_bytes(least)} to {figures.amount_of_bytes(most)}{left}"
    begins = "" if cpu_mhz is None else amount_of_cpu(cpu_mhz)
    begins_memory = "" if memory_bytes is None else figures.amount_of_bytes(memory_bytes)
    end = f"; {room}" if room else ""
    return (
        Field("cpu_mhz", "CPU", cpu, cpu_note + end, text=begins),
        Field("memory_bytes", "memory", memory, memory_note + end, text=begins_memory),
    )


def server_fields(
    cells: Sequence[str],
    *,
    may_backfill: bool,
    ids_by_name: Callable[[str], Sequence[str]] = lambda _: (),
    limits: Limits | None = None,
    room: str = "",
) -> tuple[Field, ...]:
    """What is asked about a new server. It is stopped, and has no drives yet.

    `ids_by_name` finds servers to avoid: the ids of those with a name, or the one with an id. `room` says what fits.
    """
    kinds = ("normal", "backfilling") if may_backfill else ("normal",)
    words = "left and right choose" if may_backfill else "backfilling is not enabled for this account"
    return (
        Field("name", "name", read_name, "what to call it"),
        *size_fields(limits, room=room),
        Field("is_backfilling", "kind", _is_backfilling, words, kinds),
        cell_field(cells),
        *(_FLOORS if may_backfill else ()),
        Field(
            "avoid",
            "avoid",
            avoid_reader(ids_by_name),
            "servers whose hosts to stay away from whenever it starts: names, commas between; may be empty",
        ),
    )


_FLOORS = tuple(
    Field(f"{wire}_floor", f"{label} floor", read_floor, f"of a backfilling one: never less {what} than this share")
    for wire, label, what in (("cpu", "CPU", "CPU"), ("memory", "mem", "memory"))
)


def first_wrong(fields: Sequence[Field], texts: Sequence[str]) -> tuple[int, str] | None:
    """The first field whose text makes no sense, and the sentence about it."""
    for place, (field, text) in enumerate(zip(fields, texts, strict=True)):
        value = field.read(text)
        if isinstance(value, Wrong):
            return place, value.sentence
    return None


def body(fields: Sequence[Field], texts: Sequence[str]) -> dict[str, Any]:
    """What is sent; only where nothing is wrong. What was left open is left out."""
    values = {field.name: field.read(text) for field, text in zip(fields, texts, strict=True)}
    return {name: value for name, value in values.items() if value is not None}


def changes(fields: Sequence[Field], texts: Sequence[str]) -> dict[str, Any]:
    """What is sent of an edit; only where nothing is wrong. What was left as it began is left out.

    What the console shows of a hostile text is not that text, so what nobody touched is never sent back.
    """
    return {
        field.name: field.read(text)
        for field, text in zip(fields, texts, strict=True)
        if text != field.text and field.read(text) != field.read(field.text)
    }


def lines(
    fields: Sequence[Field], texts: Sequence[str], here: int, frame: Frame, *, caret: int | None = None
) -> tuple[Line, ...]:
    """A row for each field, `frame.width` cells each; of what does not fit, what is around the caret is shown.

    `caret` is the place in the text of the field `here`; None: behind its end.
    """
    width, glyphs = frame.width, frame.glyphs
    made = []
    for place, (field, text) in enumerate(zip(fields, texts, strict=True)):
        is_here = place == here
        tone = Tone.ACCENT if is_here else Tone.MUTED
        room = max(1, width - VALUE_COLUMN - 2)
        placed: list[Placed] = [left(3, field.label, tone, bold=is_here)]
        if field.choices:
            shown = f"< {text} >" if is_here and len(field.choices) > 1 else text
            placed.append(left(VALUE_COLUMN, shown[:room]))
        else:
            place_in = len(text) if caret is None else caret
            placed.append(at(VALUE_COLUMN, _typed(text, place_in, room) if is_here else (Span(_start_of(text, room)),)))
        if is_here:
            placed.append(left(1, glyphs.cursor, Tone.ACCENT))
        made.append(compose(width, *placed))
    return tuple(made)


def _typed(text: str, caret: int, room: int) -> Line:
    """The text around its caret, which is drawn over the character behind it."""
    before, under, after = _end_of(text[:caret], room), text[caret : caret + 1] or " ", text[caret + 1 :]
    return (
        Span(before),
        Span(under, is_reversed=True),
        Span(_start_of(after, room + 1 - cells(before) - cells(under))),
    )


def _start_of(text: str, room: int) -> str:
    return take(text, max(0, room))


def _end_of(text: str, room: int) -> str:
    while cells(text) > room:
        text = text[1:]
    return text


def foot(field: Field, said: str, frame: Frame) -> tuple[Line, ...]:
    """What is wrong, else what the field takes."""
    tone = Tone.WARN if said else Tone.MUTED
    return ((Span(""),), *((Span(row, tone),) for row in wrap(said or field.note, frame.width - 1)))
