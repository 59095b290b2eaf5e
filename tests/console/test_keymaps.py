"""Keymaps: what hands know, what operators want, and never two commands on one key."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from textual.keys import _character_to_key

from console import commands, keymaps, settings
from console.commands import COMMANDS, PAGES, VIEWS
from console.keymaps import KeymapProblem
from console.names import KEYMAPS


@pytest.mark.parametrize("name", KEYMAPS)
def test_no_keymap_of_ours_gives_one_key_to_two_commands(name: str) -> None:
    keymap = keymaps.make(name)

    assert commands.clashes(keymap.registry) == []
    for view in (*VIEWS, *sorted(PAGES)):
        assert {keymap.for_key(view, key).id for key in ("question_mark", "colon", "escape")} == {  # type: ignore[union-attr]
            "help", "line", "back",
        }  # fmt: skip


@pytest.mark.parametrize("name", KEYMAPS)
def test_no_key_of_a_list_acts_whatever_the_map(name: str) -> None:
    assert [command.id for command in keymaps.make(name).registry if command.impact and command.verb_of is None] == []


def test_k9s_fingers_get_a_confirmation_and_never_a_deed() -> None:
    k9s = keymaps.make("k9s")

    deletes = k9s.for_key("servers", "ctrl+d")
    assert deletes is not None
    assert (deletes.id, deletes.impact) == ("delete", 0)
    assert k9s.for_key("servers", "ctrl+k") is None
    assert keymaps.DEFAULT.for_key("servers", "ctrl+d") is commands.BY_ID["move.half_down"]


def test_keys_of_ones_own_take_the_place_of_the_maps() -> None:
    keymap = keymaps.make("default", {"filter": ["ctrl+f", "/"], "move.page_down": "pagedown", "copy": "-"})

    for key in ("ctrl+f", "slash"):
        found = keymap.for_key("servers", key)
        assert found is not None
        assert found.id == "filter"
    assert keymap.for_key("servers", "Y") is None
    assert keymap.shown(next(c for c in keymap.registry if c.id == "copy")) == "-"
    assert ("-", "copy") in commands.hints("servers", registry=keymap.registry)


def test_the_keys_of_the_example_and_of_the_guide_can_be() -> None:
    readme = (Path(__file__).parent.parent.parent / "console" / "README.md").read_text()
    told = tomllib.loads(readme.split("```toml\nkeymap")[1].split("```")[0].join(("keymap", "")))
    example = settings.BY_NAME["keys"].example
    assert isinstance(example, dict)

    for name in KEYMAPS:
        for own in (told["keys"], example):
            assert set(own) < {command.id for command in keymaps.make(name, own).registry}


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"fliter": "x"}, "fliter is not a command; did you mean filter?"),
        ({"qqqqqq": "x"}, "qqqqqq is not a command; `?` in the console lists what there is"),
        ({"server.delete": "x"}, "server.delete is a verb of the menu behind x, and its letter there stays D"),
        ({"filter": 3}, 'filter takes a key, such as "ctrl+f", or a list of up to 5 keys'),
        ({"filter": ["a"] * 6}, 'filter takes a key, such as "ctrl+f", or a list of up to 5 keys'),
        ({"filter": "ctrl+c"}, "filter: ctrl+c cannot be given away: it says how to leave"),
        ({"filter": "hyper+x"}, "filter: 'hyper+x' is not a key; keys are written as x, /, f5, ctrl+f, pagedown"),
        ({"filter": ""}, "filter: '' is not a key; keys are written as x, /, f5, ctrl+f, pagedown"),
        (
            {"bookmark": "E"},
            "E would be both bookmark and export in overview, servers, drives and "
            f"{len(VIEWS) + len(PAGES) - 3} more views; give export another key too, or choose another one",
        ),
    ],
)
def test_keys_that_cannot_be_are_told_with_what_is_in_the_way(own: dict[str, object], said: str) -> None:
    with pytest.raises(KeymapProblem) as problem:
        keymaps.make("default", own)

    assert str(problem.value) == said


@pytest.mark.parametrize("sign", "/\\?:'&*+-_@!.,;<>[]{}()=%$#~^|aZ0é")
def test_a_sign_is_called_what_the_terminals_library_calls_it(sign: str) -> None:
    found = keymaps.make("default", {"freeze": sign, **_freed(_character_to_key(sign))}).registry

    assert next(command.keys for command in found if command.id == "freeze") == (_character_to_key(sign),)


def _freed(key: str) -> dict[str, object]:
    """Whoever has the key gets another one."""
    free = iter(["f5", "f6", "f7", "f8", "f9", "f10"])
    return {c.id: next(free) for c in COMMANDS if c.verb_of is None and key in c.keys and c.id != "freeze"}
