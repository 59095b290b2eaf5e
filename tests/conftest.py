"""What whoever runs the tests has set for their own Stratodeck is none of the tests' business."""

import os
import tempfile

for variable in [name for name in os.environ if name.startswith("STRATODECK_")]:
    del os.environ[variable]
# A file that cannot be there; processes that tests start inherit it.
os.environ["STRATODECK_SETTINGS"] = f"{os.devnull}/settings.toml"
# What is done to the clouds of tests is written down there, and goes with them.
_STATE = tempfile.TemporaryDirectory(prefix="stratodeck-state-")
os.environ["XDG_STATE_HOME"] = _STATE.name
