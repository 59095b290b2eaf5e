"""The tints of clouds are told apart by a terminal of 256 colours too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.color import Color, ColorSystem

import console

TINT = re.compile(r"^(\.palette-light )?Screen > \.tone--hue_(\w+) \{ color: [^;]+; background: (#\w{6}); \}", re.M)


@pytest.mark.parametrize(("palette", "plain"), [("", "#000000"), (".palette-light ", "#ffffff")])
def test_every_tint_is_another_one_in_256_colours_and_none_is_the_background(palette: str, plain: str) -> None:
    text = Path(console.__file__).with_name("console.tcss").read_text()
    tints = {name: colour for where, name, colour in TINT.findall(text) if where == palette}
    nearest = [Color.parse(each).downgrade(ColorSystem.EIGHT_BIT).number for each in (plain, *tints.values())]

    assert len(tints) == 6
    assert len(set(nearest)) == 7
