"""Words that the screens, the settings and the command line share, where the command line can have them for nothing."""

from __future__ import annotations

VIEWS: tuple[str, ...] = ("overview", "servers", "drives", "hosts", "groups", "backfill", "cells", "tasks", "events",
                          "services", "billing")  # fmt: skip
"""Views in the order of their digits: overview is 0. Those behind the tenth have none, and are gone to by name."""

PALETTES: tuple[str, ...] = ("dark", "light", "contrast")
