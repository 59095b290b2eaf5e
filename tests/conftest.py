"""What whoever runs the tests has set for their own Stratodeck is none of the tests' business; and what a run costs."""

from __future__ import annotations

import fcntl
import gc
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A machine that is busy with other tests draws slowly, which is nobody's fault.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("tests", _PATIENT, max_examples=50)
settings.register_profile("thorough", _PATIENT, max_examples=100)
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


# The clouds of tests are made on disks that are waited for at each commit. In memory nothing is waited for; what a loss
# of power does to a disk is simulated by its own tests.
_MEMORY, _ROOM = Path("/dev/shm"), 4 << 30
if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


def pytest_configure(config: pytest.Config) -> None:
    """Who asks for thorough tests gets as many examples of the others too."""
    if config.option.markexpr != "not thorough":
        settings.load_profile("thorough")


def pytest_collection(session: pytest.Session) -> None:
    """Let each of pytest's workers import its share of the modules first: then no two of them compile the same one."""
    if session.config.args_source is not pytest.Config.ArgsSource.TESTPATHS or "PYTEST_XDIST_WORKER" not in os.environ:
        return
    number, count = int(os.environ["PYTEST_XDIST_WORKER"][2:]), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    here = Path(__file__).parent
    for path in sorted(here.rglob("test_*.py"))[number::count]:
        # What is wrong with it is told when it is collected.
        with suppress(Exception):
            importlib.import_module(".".join(path.relative_to(here.parent).with_suffix("").parts))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that the other workers do not wait for it at the end."""
    items.sort(key=lambda item: item.name != "test_the_types_hold")


def pytest_collection_finish() -> None:
    """Look seldom at what stays: several thousand tests and all modules are there until the end.

    Looking through them again and again for garbage was a quarter of the time of a run.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5000, 10, 50)


def pytest_sessionfinish() -> None:
    """Look once for what tests have left, and not at all of it five times more, as pytest does."""
    gc.collect()
    gc.freeze()


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
