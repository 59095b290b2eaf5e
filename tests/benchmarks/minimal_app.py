"""The floor of every start: the least that Textual can put on a screen. A program of its own, started by its path."""

from textual.app import App, ComposeResult
from textual.widgets import Static


class MinimalApp(App[None]):
    def compose(self) -> ComposeResult:
        yield Static("MINIMAL APP")


if __name__ == "__main__":
    MinimalApp().run()
