"""Tags and meta as texts to edit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.presentation import labels
from console.presentation.creating import Wrong

texts = st.text(st.sampled_from(["a", "b", ",", "=", '"', " ", "·"]), max_size=6)
some = texts.filter(bool)


@given(tags=st.lists(some, max_size=4, unique=True))
def test_what_is_written_of_tags_is_read_again(tags: list[str]) -> None:
    assert labels.read_tags(labels.tags_text(tags)) == tags


@given(meta=st.dictionaries(some, texts, max_size=4))
def test_what_is_written_of_meta_is_read_again(meta: dict[str, str]) -> None:
    assert labels.read_meta(labels.meta_text(meta)) == meta


@pytest.mark.parametrize(
    ("typed", "tags"),
    [
        ("", []),
        (" web ,db,", ["web", "db"]),
        ("web, web", ["web"]),
        ('"a, b", c', ["a, b", "c"]),
        ("group:web", ["group:web"]),
    ],
)
def test_tags_are_typed_with_commas_between(typed: str, tags: list[str]) -> None:
    assert labels.read_tags(typed) == tags


@pytest.mark.parametrize(
    ("typed", "meta"),
    [
        ("", {}),
        ("env=prod, owner = me", {"env": "prod", "owner": "me"}),
        ("url=a=b", {"url": "a=b"}),
        ('note="a, b", empty=', {"note": "a, b", "empty": ""}),
    ],
)
def test_meta_are_typed_as_keys_and_values(typed: str, meta: dict[str, str]) -> None:
    assert labels.read_meta(typed) == meta


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("env", "env has no value; type key=value, with commas between"),
        ("=x", "=x has no key; type key=value, with commas between"),
        ("a=1, a=2", "a is given twice"),
        ('a="1', 'a quote is not closed; type " once more, or "" for a quote itself'),
        ("k" * 33 + "=v", "a key has 33 characters; 32 is the most"),
        ("k=" + "v" * 4097, "the value of k has 4097 characters; 4096 is the most"),
    ],
)
def test_what_is_no_meta_gets_a_sentence(typed: str, sentence: str) -> None:
    assert labels.read_meta(typed) == Wrong(sentence)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ('""', "a tag is empty; type at least one character for each"),
        ("t" * 256, "a tag has 256 characters; 255 is the most"),
        (",".join(map(str, range(65))), "65 tags; 64 is the most"),
    ],
)
def test_what_are_no_tags_gets_a_sentence(typed: str, sentence: str) -> None:
    assert labels.read_tags(typed) == Wrong(sentence)
