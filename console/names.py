"""Words that the screens, the settings and the command line share, where the command line can have them for nothing."""

from __future__ import annotations

VIEWS: tuple[str, ...] = ("overview", "servers", "drives", "hosts", "groups", "backfill", "cells", "tasks", "events",
                          "services", "schedules", "backups", "coverage", "calendar", "storage", "capacity", "audit",
                          "clock", "faults", "billing")  # fmt: skip
"""Views in the order of their digits: overview is 0. Those beyond 9 have a name, and some a letter."""

PALETTES: tuple[str, ...] = ("dark", "light", "contrast", "contrast-light")

KEYMAPS: tuple[str, ...] = ("default", "k9s")

COLOURS: tuple[str, ...] = ("blue", "green", "violet", "brown", "grey")
"""What a cloud's frame may be tinted with. Red is that of production, and no other cloud's."""

ALL_CLOUDS = "@all"
"""What a list of several clouds is narrowed to; no cell has an at sign in its name."""

SHIPPED = ("cell-lost-in-backup-window", "drain-in-full-cell", "host-lost-under-pair", "surge-over-backfill")
"""The scenarios that come with the product."""
