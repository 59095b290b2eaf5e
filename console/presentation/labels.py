"""Tags and meta as a line of text, and back: `web, key=value`. What holds a comma or a quote is quoted, as in CSV.

`"a, b"` is one text, and `""` within quotes is a quote. What is written can always be read: nothing that a tag or a
value may hold is lost by opening a form and sending it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from console.presentation.creating import Wrong

TAGS_MAX = 64
TAG_LENGTH_MAX = 255
META_MAX = 64
META_KEY_LENGTH_MAX = 32
META_VALUE_LENGTH_MAX = 4096
"""Source: the API's own document, `ServerAction` and `DriveAction`."""

_Sign = tuple[str, bool]
"""A character, and whether it was quoted."""


def tags_text(tags: Iterable[str]) -> str:
    return ", ".join(_quoted(tag, ",") for tag in tags)


def meta_text(meta: Mapping[str, str]) -> str:
    return ", ".join(f"{_quoted(key, ',=')}={_quoted(value, ',')}" for key, value in meta.items())


def read_tags(text: str) -> list[str] | Wrong:
    """Each once, in their order."""
    items = _items(text)
    if isinstance(items, Wrong):
        return items
    tags = list(dict.fromkeys(_plain(item) for item in items))
    if len(tags) > TAGS_MAX:
        return Wrong(f"{len(tags)} tags; {TAGS_MAX} is the most")
    for tag in tags:
        if not tag:
            return Wrong("a tag is empty; type at least one character for each")
        if len(tag) > TAG_LENGTH_MAX:
            return Wrong(f"a tag has {len(tag)} characters; {TAG_LENGTH_MAX} is the most")
    return tags


def read_meta(text: str) -> dict[str, str] | Wrong:
    items = _items(text)
    if isinstance(items, Wrong):
        return items
    meta: dict[str, str] = {}
    for item in items:
        place = next((n for n, (sign, is_quoted) in enumerate(item) if sign == "=" and not is_quoted), None)
        if place is None:
            return Wrong(f"{_plain(item)} has no value; type key=value, with commas between")
        key, value = _plain(_stripped(item[:place])), _plain(_stripped(item[place + 1 :]))
        if not key:
            return Wrong(f"={value} has no key; type key=value, with commas between")
        if len(key) > META_KEY_LENGTH_MAX:
            return Wrong(f"a key has {len(key)} characters; {META_KEY_LENGTH_MAX} is the most")
        if len(value) > META_VALUE_LENGTH_MAX:
            return Wrong(f"the value of {key} has {len(value)} characters; {META_VALUE_LENGTH_MAX} is the most")
        if key in meta:
            return Wrong(f"{key} is given twice")
        meta[key] = value
    if len(meta) > META_MAX:
        return Wrong(f"{len(meta)} keys; {META_MAX} is the most")
    return meta


def _quoted(text: str, special: str) -> str:
    if text and text == text.strip() and not any(sign in text for sign in special + '"'):
        return text
    return '"' + text.replace('"', '""') + '"'


def _items(text: str) -> list[list[_Sign]] | Wrong:
    """What stands between the commas, without the blanks around it. Nothing at all is no item; so is a last comma."""
    items: list[list[_Sign]] = [[]]
    was_quoted = [False]
    is_quoted, place = False, 0
    while place < len(text):
        sign = text[place]
        if sign == '"' and is_quoted and text[place + 1 : place + 2] == '"':
            items[-1].append((sign, True))
            place += 1
        elif sign == '"':
            is_quoted = not is_quoted
            was_quoted[-1] = True
        elif sign == "," and not is_quoted:
            items.append([])
            was_quoted.append(False)
        else:
            items[-1].append((sign, is_quoted))
        place += 1
    if is_quoted:
        return Wrong('a quote is not closed; type " once more, or "" for a quote itself')
    found = [_stripped(item) for item in items]
    return [item for item, quotes in zip(found, was_quoted, strict=True) if item or quotes]


def _stripped(item: list[_Sign]) -> list[_Sign]:
    """Without blanks at its ends that were not quoted."""
    first, last = 0, len(item)
    while first < last and item[first][0].isspace() and not item[first][1]:
        first += 1
    while last > first and item[last - 1][0].isspace() and not item[last - 1][1]:
        last -= 1
    return item[first:last]


def _plain(item: list[_Sign]) -> str:
    return "".join(sign for sign, _ in item)
