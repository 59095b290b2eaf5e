"""What parsers are fed: pieces of their grammar strung together, and good samples with something done to them.

A good sample is where the deep code is; one slip away from it is where the mistakes are. Words that break parsers of
all kinds are strewn into both.
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

HOSTILE = (
    "", "\0", "\n", "\r", "\t", " ", "\x1b[31m", "\x7f", "\u202e", "\ufeff", "é", "ß", "İ", "٣", "²", "𝟙", "\U0010ffff",
    "-1", "0", "00", "1e400", "-0.0", "inf", "nan", "9" * 30, "9" * 5000, "0x" + "f" * 5000, "1" * 19, str(2**63),
    "'", '"', '"""', "\\", "\\u0000", "#", "[", "]", "[[", "]]", "{", "}", "(", ")", "[" * 3000, "{a=" * 1500,
    ",", ";", ":", "=", ".", "/", "//", "..", "~", "~x", "*", "*/0", "%s", "%", "&a *a", "<<:", "!!python/object:x",
    "true", "null", "None", "1979-05-27", "\n\n[x]\n",
)  # fmt: skip
"""Of these each has broken some parser."""

MUTATIONS_MAX = 4
REPEATS = (2, 3, 40)


def texts(samples: Sequence[str], pieces: Sequence[str]) -> st.SearchStrategy[str]:
    """Strung from `pieces`, or one of the `samples` mutated; now and then one of them as it is."""
    words = st.sampled_from((*pieces, *pieces, *HOSTILE)) | st.text(max_size=4)
    return st.lists(words, max_size=12).map("".join) | mutated(samples, words) | st.sampled_from(samples)


def encoded(found: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    """As a file holds it; and what is no UTF-8."""
    whole = found.map(lambda text: text.encode(errors="replace"))
    broken = st.tuples(whole, st.binary(min_size=1, max_size=4), st.floats(0, 1)).map(
        lambda parts: parts[0][: int(parts[2] * len(parts[0]))] + parts[1] + parts[0][int(parts[2] * len(parts[0])) :]
    )
    return whole | whole | broken


@st.composite
def mutated(draw: st.DrawFn, samples: Sequence[str], words: st.SearchStrategy[str]) -> str:
    """A sample with a piece left out, doubled, moved, replaced by a word or by a piece of another sample."""
    text = draw(st.sampled_from(samples))
    for _ in range(draw(st.integers(1, MUTATIONS_MAX))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from((0, 1, 1, 2, 5, 30))))
        match draw(st.integers(0, 5)):
            case 0:
                text = text[:start] + text[end:]
            case 1:
                text = text[:end] + text[start:end] * draw(st.sampled_from(REPEATS)) + text[end:]
            case 2:
                other = draw(st.sampled_from(samples))
                at = draw(st.integers(0, len(other)))
                text = text[:start] + other[at : at + 30] + text[end:]
            case 3:
                text = text[:start]
            case _:
                text = text[:start] + draw(words) + text[end:]
    return text
