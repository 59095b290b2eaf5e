"""The frame, its dialogs, and what a key does: composition and workers, no formatting and no rules."""
