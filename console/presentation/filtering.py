"""The filter behind `/`: what may be typed, what is wrong with it, and which rows it leaves. The same in every list.

    web         what holds `web`, as it stands or letter after letter (see fuzzy)      'web     only as it stands
    !web        what does not hold it as it stands                                     a b      both
    state:lost  the word that the screen has for a state, as well as the one that the API has
    state:run   what begins so in a column of few words, holds it in one of texts, is so close as the screen
    cpu>4000    shows it in one of numbers; also = != > >= < <=, numbers with units; `!` before any of them

What nobody knows never matches a comparison, whichever way round: None is neither above nor below anything. A text
that is not there, such as the group of a server without one, is known to be none, and is empty.

`matching` works column by column over whole lists, because 100,000 rows are its measure; `holds` says the same of one
row, plainly, and tests hold the two against each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import compress, repeat
from math import isinf
from operator import contains, ge, gt, le, lt, not_, or_
from typing import Any, NamedTuple, TypeVar

from console.presentation import fuzzy
from console.presentation.columns import EXAMPLES, NUMBERS, Column, Kind, Value, find, parse_number
from console.presentation.glyphs import UNICODE, Glyphs

T = TypeVar("T")

ID_LETTERS_MIN = 4
"""So many signs of an id are needed to find it by."""
_ID_LETTERS = frozenset("0123456789abcdef-")
CLOSE = 0.005
"""Two numbers are equal where they differ by less than half a per cent: the screen shows no more."""


class Word(NamedTuple):
    """A text to be found in any of the searched columns."""

    text: str
    is_exact: bool = False
    is_inverted: bool = False
    meant: str = ""
    """The state that the screen calls so: `lost` is what the API calls unavailable."""


class Comparison(NamedTuple):
    """What a column is compared with: a folded text, or a number in its column's unit."""

    column: str
    operator: str
    operand: str | float
    is_inverted: bool = False


Term = Word | Comparison


class Query(NamedTuple):
    """A filter that was understood as far as it could be: every term has to hold."""

    terms: tuple[Term, ...] = ()
    problem: str = ""
    """Why a word of it means nothing here; it is left out then."""


_COMPARISON = re.compile(r"(!?)([A-Za-z][A-Za-z_-]*)(:|!=|>=|<=|=|>|<)(.*)", re.DOTALL)
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {">": gt, ">=": ge, "<": lt, "<=": le}


def parse(text: str, columns: Sequence[Column[Any]]) -> Query:
    """Read a filter. Never fails: a word that means nothing is left out and told."""
    terms: list[Term] = []
    problem = ""
    for word in text.split():
        found = _parse_word(word, columns)
        if isinstance(found, str):
            problem = problem or found
        elif found is not None:
            terms.append(found)
    return Query(tuple(terms), problem)


def _parse_word(word: str, columns: Sequence[Column[Any]]) -> Term | str | None:
    """A term; a sentence where it cannot be one; None for a sign that says nothing yet."""
    match = _COMPARISON.fullmatch(word)
    if match is None:
        rest = word.removeprefix("!")
        is_inverted = rest != word and bool(rest)
        rest = rest if is_inverted else word
        bare = rest.removeprefix("'")
        if not bare:
            return None
        # What is left out must be left out for a reason that can be seen: exactly.
        text = bare.casefold()
        meant = next((column.shown[text] for column in columns if column.is_searched and text in column.shown), "")
        return Word(text, is_inverted or bare != rest, is_inverted, meant)
    column = find(columns, match[2])
    if column is None:
        return f"no column is called {match[2]}: there are {names_of(columns)}"
    return _parse_comparison(column, match[3], match[4].casefold(), is_inverted=bool(match[1]))


def _parse_comparison(column: Column[Any], operator: str, text: str, *, is_inverted: bool) -> Term | str | None:
    if operator == ":" and (text[:1] in {">", "<", "="} or text[:2] == "!="):
        # A colon is what completion ends a column's name with: the sign behind it is what was meant.
        end = 2 if text[1:2] == "=" and text[0] != "=" else 1
        operator, text = text[:end], text[end:]
        if not text and column.kind not in NUMBERS:
            return f"{column.name}:{operator} is followed by a text; {column.name}= alone finds those without one"
    if operator == "!=":
        operator, is_inverted = "=", not is_inverted
    if column.kind not in NUMBERS:
        if operator not in {":", "="}:
            return f"{column.name} is a text: {column.name}:TEXT and {column.name}=TEXT compare it"
        text = _meant(column, operator, text)
        return Comparison(column.name, operator, text, is_inverted) if text or operator == "=" else None
    if not text:
        return f"{column.name} takes {EXAMPLES[column.kind]}"
    number = parse_number(text, column.kind)
    # One that is too large for a number is near to every other one.
    if number is None or isinf(number):
        return f"{column.name} takes {EXAMPLES[column.kind]}, not {text}"
    return Comparison(column.name, "=" if operator == ":" else operator, number, is_inverted)


def _meant(column: Column[Any], operator: str, text: str) -> str:
    """The value that the screen calls so, or else the text itself. The beginning of a value means that value."""
    if text in column.shown and (operator == "=" or not any(word.startswith(text) for word in column.words)):
        return column.shown[text]
    if operator == "=" or not text or any(word.casefold().startswith(text) for word in column.words):
        return text
    return next((value for word, value in column.shown.items() if word.startswith(text)), text)


def term_of(column: Column[T], row: T) -> str | None:
    """The filter that leaves the rows which hold what this one holds in a column, as it would be typed.

    None where there is none: what nobody knows is like nothing, and a time is like no other.
    """
    value = column.value(row)
    if column.kind not in NUMBERS:
        words = str(value or "").casefold().split()
        if len(words) < 2:
            return f"{column.name}={''.join(words)}"
        # Of a word of few or of an id the beginning is compared, of a text what it holds.
        told = words[:1] if column.kind in {Kind.WORD, Kind.ID} else words
        return " ".join(f"{column.name}:{each}" for each in told)
    if not isinstance(value, int | float) or column.kind is Kind.SECONDS:
        return None
    match column.kind:
        case Kind.BYTES if value >= 2**30:
            return f"{column.name}={value / 2**30:.3f}".rstrip("0").rstrip(".") + "g"
        case Kind.BYTES:
            return f"{column.name}={value:.0f}b"
        case _:
            return f"{column.name}={value:.10g}{'mhz' if column.kind is Kind.CPU else ''}"


def number_of(shown: int, total: int | None, text: str, glyphs: Glyphs = UNICODE) -> str:
    """`12 of 480` where a filter is on, `480` otherwise; None is a list that nobody has told of."""
    if total is None:
        return glyphs.nobody_said
    return f"{shown:,} of {total:,}" if text else f"{total:,}"


def note(number: str, order: str, text: str) -> str:
    """The number and the order; with a filter the number last, which is all that a narrow terminal has room for."""
    return f"{order}   {number}" if text else f"{number}   {order}"


def names_of(columns: Sequence[Column[Any]]) -> str:
    """The names of columns as the end of a sentence."""
    return ", ".join(column.name for column in columns) or "none here"


# One row, plainly ------------------------------------------------------------------------------------------------


def holds(query: Query, columns: Sequence[Column[T]], row: T) -> bool:
    """Whether every term holds for the row."""
    return all(holds_term(term, columns, row) for term in query.terms)


def holds_term(term: Term, columns: Sequence[Column[T]], row: T) -> bool:
    """Whether one term holds for the row."""
    if isinstance(term, Word):
        values = ((column, column.value(row)) for column in columns if column.is_searched)
        is_found = any(_has_word(term, column.kind, value) for column, value in values)
        return is_found != term.is_inverted
    column = _column(columns, term)
    value = column.value(row)
    if column.kind in NUMBERS:
        return value is not None and _is_so(term, value) != term.is_inverted
    return _is_text_so(term, column.kind, value) != term.is_inverted


def _column(columns: Sequence[Column[T]], term: Comparison) -> Column[T]:
    return next(column for column in columns if column.name == term.column)


def _has_word(word: Word, kind: Kind, value: Value) -> bool:
    if not isinstance(value, str):
        return False
    text = value.casefold()
    match kind:
        case Kind.WORD:
            return text.startswith(word.text) or (bool(word.meant) and text == word.meant)
        case Kind.ID:
            return _may_be_id(word.text) and text.startswith(word.text)
        case Kind.SENTENCE:
            return word.text in text
        case _:
            return fuzzy.is_found(word.text, text, is_exact=word.is_exact)


def _may_be_id(text: str) -> bool:
    return len(text) >= ID_LETTERS_MIN and _ID_LETTERS.issuperset(text)


def _is_so(term: Comparison, value: Value) -> bool:
    assert isinstance(value, int | float), "a column of numbers holds numbers"
    assert isinstance(term.operand, float), "numbers are compared with numbers"
    if term.operator == "=":
        return abs(value - term.operand) <= CLOSE * max(abs(value), abs(term.operand))
    return _OPERATORS[term.operator](value, term.operand)


def _is_text_so(term: Comparison, kind: Kind, value: Value) -> bool:
    text, wanted = str(value or "").casefold(), str(term.operand)
    if term.operator == "=":
        return text == wanted
    return text.startswith(wanted) if kind in {Kind.WORD, Kind.ID} else wanted in text


# What is not known, guessed ----------------------------------------------------------------------------------------


def is_state(term: Term, state: str) -> bool:
    """Whether the term, leaving aside that it may be inverted, is about this state."""
    if isinstance(term, Word):
        return _has_word(term, Kind.WORD, state)
    return term.column == "state" and _is_text_so(term, Kind.WORD, state)


def is_guessed(term: Term, state: str, host: str) -> bool:
    """Whether the term holds for a row of which only this state and this host count."""
    if isinstance(term, Word):
        return (_has_word(term, Kind.WORD, state) or _has_word(term, Kind.TEXT, host)) != term.is_inverted
    is_so = _is_text_so(term, Kind.WORD, state) if term.column == "state" else _is_text_so(term, Kind.TEXT, host)
    return is_so != term.is_inverted


# Whole lists -----------------------------------------------------------------------------------------------------


def matching(rows: Sequence[T], query: Query, columns: Sequence[Column[T]]) -> Sequence[T]:
    """The rows for which every term holds, in their order."""
    for term in query.terms:
        if not rows:
            break
        hits = _hits_of_word(rows, term, columns) if isinstance(term, Word) else _hits(rows, term, columns)
        rows = list(compress(rows, hits))
    return rows


def _hits_of_word(rows: Sequence[T], word: Word, columns: Sequence[Column[T]]) -> Iterable[bool]:
    hits: Iterable[bool] | None = None
    for column in columns:
        if column.is_searched and (found := _hits_in(rows, word, column)) is not None:
            hits = found if hits is None else map(or_, hits, found)
    if hits is None:
        hits = repeat(False, len(rows))
    return map(not_, hits) if word.is_inverted else hits


def _hits_in(rows: Sequence[T], word: Word, column: Column[T]) -> Iterator[bool] | None:
    """Which rows hold the word in this column; None where none does, if that was cheap to know."""
    if column.kind is Kind.ID and not _may_be_id(word.text):
        return None
    if column.distinct is not None:
        # Hosts, cells and groups are few: each is looked at once, and not once for every row that names it.
        wanted = {value for value in column.distinct if _has_word(word, column.kind, value)}
        return map(wanted.__contains__, map(column.value, rows)) if wanted else None
    texts = _folded(list(map(column.value, rows)))
    if column.kind in {Kind.WORD, Kind.ID}:
        return (text.startswith(word.text) or (bool(word.meant) and text == word.meant) for text in texts)
    literal = map(contains, texts, repeat(word.text))
    pattern = None if word.is_exact or column.kind is Kind.SENTENCE else fuzzy.pattern(word.text)
    return literal if pattern is None else map(or_, literal, map(bool, map(pattern.search, texts)))


def _folded(values: list[Any]) -> list[str]:
    try:
        return list(map(str.casefold, values))
    except TypeError:
        # Some rows have none.
        return ["" if value is None else str(value).casefold() for value in values]


def _hits(rows: Sequence[T], term: Comparison, columns: Sequence[Column[T]]) -> Iterable[bool]:
    column = _column(columns, term)
    values = map(column.value, rows)
    is_inverted = term.is_inverted
    if column.kind not in NUMBERS:
        # A text is looked at once, however many rows hold it.
        is_so = lru_cache(maxsize=4096)(lambda value: _is_text_so(term, column.kind, value) != is_inverted)
        return map(is_so, values)
    if term.operator == "=" or is_inverted:
        return (value is not None and _is_so(term, value) != is_inverted for value in values)
    compare, operand = _OPERATORS[term.operator], term.operand
    return (value is not None and compare(value, operand) for value in values)


def is_narrower(new: Query, old: Query) -> bool:
    """Whether whatever `new` holds for, `old` held for: then only the rows that `old` left need be looked at."""
    return all(any(_implies(term, earlier) for term in new.terms) for earlier in old.terms)


def _implies(new: Term, old: Term) -> bool:
    if new == old:
        return True
    if not (isinstance(new, Word) and isinstance(old, Word)) or old.is_inverted or new.is_inverted:
        return False
    if new.is_exact < old.is_exact or not new.text.startswith(old.text) or new.meant not in {"", old.meant}:
        return False
    # A word's first letters do not look at the ids yet.
    return _may_be_id(old.text) or not _may_be_id(new.text)


def places(text: str, name: str) -> list[tuple[int, int]]:
    """What a name holds of a filter, as (start, end) pairs in order that do not overlap: to underline it."""
    found = sorted(pair for word in _words_to_find(text) for pair in fuzzy.places(word, name))
    joined: list[tuple[int, int]] = []
    for start, end in found:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def is_word(word: str) -> bool:
    """Whether a word of a filter is about no column."""
    return _COMPARISON.fullmatch(word) is None


def _words_to_find(text: str) -> Iterator[str]:
    """The words of a filter that a name may hold: neither excluded ones nor those about a column."""
    for word in text.split():
        if is_word(word) and not word.startswith("!") and word.removeprefix("'"):
            yield word.removeprefix("'")
