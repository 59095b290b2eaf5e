"""What whoever runs the tests has set for their own Stratodeck is none of the tests' business."""

import os

for variable in [name for name in os.environ if name.startswith("STRATODECK_")]:
    del os.environ[variable]
# A file that cannot be there; processes that tests start inherit it.
os.environ["STRATODECK_SETTINGS"] = f"{os.devnull}/settings.toml"
