"""Lines taken apart by their columns: what stands at one, what is left after some, the cursor of a map on one."""

from console.presentation.lines import UNICODE, Glyphs, Line, Span, Tone, cells, cut


def words_at(line: Line, column: int) -> str:
    """The words of a head that stand at a column, or else nearest to it."""
    found: list[tuple[int, str]] = []
    start = 0
    for span in line:
        end = start + cells(span.text)
        if span.text.strip():
            found.append((0 if start <= column < end else min(abs(start - column), abs(end - 1 - column)), span.text))
        start = end
    return min(found, default=(0, ""))[1]


def underlined(span: Span, wanted: str) -> Line:
    """The span with the folded text underlined, where it holds it."""
    place = span.text.casefold().find(wanted)
    if place < 0 or len(span.text.casefold()) != len(span.text):
        return (span,)
    end = place + len(wanted)
    parts = (span._replace(text=span.text[:place]), span._replace(text=span.text[place:end], is_underlined=True),
             span._replace(text=span.text[end:]))  # fmt: skip
    return tuple(part for part in parts if part.text)


def with_cursor(line: Line, column: int, glyphs: Glyphs) -> Line:
    """The line with the cursor of a map on the sign in this column: the sign reversed, in the cursor's tone.

    A full block has no ground to be seen on when it is reversed; the cursor's own sign, half as wide, takes its place.
    """
    sign = "".join(span.text for span in cut(without(line, column), 1))
    is_solid = sign == UNICODE.normal
    shown = Span(glyphs.cursor if is_solid else sign, Tone.ACCENT, is_reversed=not is_solid, is_bold=True)
    return (*cut(line, column), shown, *without(line, column + 1))


def without(line: Line, columns: int) -> Line:
    """The line without its first columns, in signs of one cell each."""
    left = columns
    kept: list[Span] = []
    for span in line:
        if left >= len(span.text):
            left -= len(span.text)
        elif left:
            kept.append(span._replace(text=span.text[left:]))
            left = 0
        else:
            kept.append(span)
    return tuple(kept)
