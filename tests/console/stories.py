"""How stories drive the console: typing, waiting for idle, and reading the terminal."""

from typing import Any

from textual import events
from textual.pilot import Pilot

from console.app import ConsoleApp
from console.widgets.painting import Bar
from tests.console.fakes import FakeCloud, screen_text


async def until(pilot: Pilot[Any], *words: str) -> str:
    """The screen, once it shows all the words; each turn waits for the application to be idle."""
    text = ""
    for _ in range(60):
        await pilot.pause()
        text = screen_text(app_of(pilot))
        if all(word in text for word in words):
            return text
    raise AssertionError(f"never saw {words}:\n{text}")


async def until_without(pilot: Pilot[Any], word: str) -> None:
    """Once the screen does not show the word any more."""
    for _ in range(60):
        await pilot.pause()
        if word not in screen_text(app_of(pilot)):
            return
    raise AssertionError(f"{word} never went:\n{screen_text(app_of(pilot))}")


async def type_line(pilot: Pilot[Any], text: str) -> None:
    """The first key, which may open a prompt, and the others as fast as they come: each wait takes 20 ms at least."""
    await pilot.press(_NAMES.get(text[0], text[0]))
    for each in text[1:]:
        app_of(pilot).post_message(events.Key(_NAMES.get(each, each), each))
    await pilot.pause()


_NAMES = {" ": "space", ":": "colon", "/": "slash", "-": "minus", "&": "ampersand", "\\": "backslash"}


def app_of(pilot: Pilot[Any]) -> ConsoleApp:
    assert isinstance(pilot.app, ConsoleApp)
    return pilot.app


def bar(app: ConsoleApp, name: str) -> str:
    return app.main.query_one(f"#{name}", Bar).text


def requests(cloud: FakeCloud, name: str) -> list[tuple[Any, ...]]:
    return [request for request in cloud.requests if request[0] == name]


def type_at_once(app: ConsoleApp, *keys: str) -> None:
    """Keys as a pasted text or a fast hand sends them: none waits for what the one before it does."""
    for key in keys:
        app.post_message(events.Key(key, key if len(key) == 1 else None))
