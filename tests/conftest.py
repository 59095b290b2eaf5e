"""What whoever runs the tests has set for their own Stratodeck is none of the tests' business; and what a run costs."""

from __future__ import annotations

import fcntl
import gc
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A machine that is busy with other tests draws slowly, which is nobody's fault.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")

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


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo cloud as it is made, to be copied and never opened: one for all of pytest's processes."""
    from tests.demo import make_demo

    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    with open(shared / "demo.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return shared / "demo" if (shared / "demo").exists() else make_demo(shared / "demo")


@pytest.fixture(scope="session")
def openstack_process() -> Iterator[subprocess.Popen[str]]:
    """The process of the `openstack` command line, which takes seconds to load it."""
    from tests.openstack_clients import command_line_process

    with command_line_process() as process:
        yield process
