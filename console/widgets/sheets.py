"""Textual's style sheets, parsed once.

Textual parses every sheet anew whenever it is told the variables of a theme, and it is told them at every start, with
what it has parsed just before thrown away: three times ours before the first frame.
"""

from textual.css.stylesheet import Stylesheet


class SteadyStylesheet(Stylesheet):
    """Parses anew only where the variables are other ones."""

    _is_outdated = False

    def set_variables(self, variables: dict[str, str]) -> None:
        """Take the variables of a theme."""
        if variables != self._variables:
            super().set_variables(variables)
            self._is_outdated = True

    def reparse(self) -> None:
        """Parse what the variables have changed."""
        if self._is_outdated:
            super().reparse()
            self._is_outdated = False
