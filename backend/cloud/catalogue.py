"""What every cloud offers to begin with: flavors, which are sizes with a name, and the images of the library.

Both are the same in every cloud, ids included, so that what was written against one works against another. A server
that was made without them has a flavor of its own, named after its size.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid5

from backend.cloud.model import GIB, MIB, VCPU_MHZ, Size

_LIBRARY = UUID("5f0c9c36-6b0e-4c59-9d6c-0f3d6a1b7e21")
"""The namespace of the images' ids."""


@dataclass(frozen=True, slots=True)
class Flavor:
    """A size under a name, with the size of the boot drive. `id` is the name that requests use."""

    id: str
    name: str
    size: Size
    vcpus: int
    disk_bytes: int

    @property
    def memory_mib(self) -> int:
        return -(-self.size.memory_bytes // MIB)

    @property
    def disk_gib(self) -> int:
        return self.disk_bytes // GIB


def _flavor(id: str, name: str, vcpus: int, memory_mib: int, disk_gib: int) -> Flavor:
    return Flavor(id, name, Size(vcpus * VCPU_MHZ, memory_mib * MIB), vcpus, disk_gib * GIB)


FLAVORS: tuple[Flavor, ...] = (
    _flavor("1", "m1.tiny", 1, 512, 1),
    _flavor("2", "m1.small", 1, 2_048, 20),
    _flavor("3", "m1.medium", 2, 4_096, 40),
    _flavor("4", "m1.large", 4, 8_192, 80),
    _flavor("5", "m1.xlarge", 8, 16_384, 160),
    _flavor("6", "c1.large", 8, 8_192, 80),
    _flavor("7", "r1.large", 4, 32_768, 80),
    _flavor("8", "r1.xlarge", 8, 65_536, 160),
)
"""In the order of their ids."""


def find_flavor(id: str) -> Flavor | None:
    return next((flavor for flavor in FLAVORS if flavor.id == id), None)


def flavor_of(size: Size, disk_bytes: int = 0) -> Flavor:
    """The flavor that is shown of a server that was made with a size: all rounded up, named after it.

    One of the list where its CPU and memory are exactly that.
    """
    known = next((flavor for flavor in FLAVORS if flavor.size == size), None)
    if known is not None:
        return known
    vcpus, memory_mib = -(-size.cpu_mhz // VCPU_MHZ), -(-size.memory_bytes // MIB)
    name = f"custom-{vcpus}-{memory_mib}"
    return Flavor(name, name, size, vcpus, -(-disk_bytes // GIB) * GIB)


@dataclass(frozen=True, slots=True)
class Image:
    """A library drive that new boot drives are copies of. It lies outside the cells, so none takes it along."""

    id: str
    name: str
    os: str
    version: str
    size_bytes: int
    user: str
    """Who one logs in as."""


def _image(os: str, version: str, size_gib: int, user: str) -> Image:
    name = f"{os}-{version}"
    return Image(str(uuid5(_LIBRARY, name)), name, os, version, size_gib * GIB, user)


IMAGES: tuple[Image, ...] = (
    _image("debian", "12", 2, "debian"),
    _image("ubuntu", "24.04", 3, "ubuntu"),
    _image("rocky", "9", 3, "rocky"),
    _image("fedora", "41", 3, "fedora"),
    _image("alpine", "3.20", 1, "alpine"),
    _image("cirros", "0.6", 1, "cirros"),
)


def find_image(id: str) -> Image | None:
    return next((image for image in IMAGES if image.id == id), None)
