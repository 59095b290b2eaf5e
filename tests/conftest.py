"""What whoever runs the tests has set for their own Stratodeck is none of the tests' business; and what a run costs."""

import gc
import os
import sys
import tempfile

for variable in [name for name in os.environ if name.startswith("STRATODECK_")]:
    del os.environ[variable]
# A file that cannot be there; processes that tests start inherit it.
os.environ["STRATODECK_SETTINGS"] = f"{os.devnull}/settings.toml"

# What is done to the clouds of tests is written down there, and goes with them.
_STATE = tempfile.TemporaryDirectory(prefix="stratodeck-state-")
os.environ["XDG_STATE_HOME"] = _STATE.name

# Tests start more than a hundred processes. Where compiled modules are not kept, each of them compiles everything anew,
# and so does each of pytest's own workers; keeping them halves what these cost.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_collection_finish() -> None:
    """Look seldom at what stays: several thousand tests and all modules are there until the end.

    Looking through them again and again for garbage was a quarter of the time of a run.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5000, 10, 50)
