"""Flavors and images, and what is shown of servers that were made without them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backend.cloud.catalogue import FLAVORS, IMAGES, find_flavor, find_image, flavor_of
from backend.cloud.model import GIB, LARGEST_SERVER, MIB, SMALLEST_SERVER, VCPU_MHZ, Size


def test_there_are_six_images_and_each_thing_is_found_by_its_own_id() -> None:
    assert len({image.id for image in IMAGES}) == len({image.name for image in IMAGES}) == 6
    assert len({flavor.size for flavor in FLAVORS}) == len({flavor.name for flavor in FLAVORS}) == len(FLAVORS)
    assert [find_image(image.id) for image in IMAGES] == list(IMAGES)
    assert [find_flavor(flavor.id) for flavor in FLAVORS] == list(FLAVORS)
    assert find_image("m1.tiny") is None
    assert find_flavor("debian-12") is None


def test_every_flavor_is_a_size_that_a_server_may_have() -> None:
    for flavor in FLAVORS:
        assert SMALLEST_SERVER.fits_in(flavor.size)
        assert flavor.size.fits_in(LARGEST_SERVER)
        assert (flavor.vcpus * VCPU_MHZ, flavor.memory_mib * MIB) == (flavor.size.cpu_mhz, flavor.size.memory_bytes)


def test_a_size_of_the_list_has_its_name_and_another_one_of_its_own() -> None:
    assert flavor_of(Size(2 * VCPU_MHZ, 4 * GIB)).name == "m1.medium"

    custom = flavor_of(Size(2_500, GIB + 1), 10 * GIB + 1)

    assert (custom.id, custom.name) == ("custom-2-1025", "custom-2-1025")
    assert (custom.vcpus, custom.memory_mib, custom.disk_gib) == (2, 1_025, 11)


@given(st.integers(1, 10**6), st.integers(1, 2**40), st.integers(0, 2**45))
def test_what_is_shown_of_any_size_is_rounded_up(cpu_mhz: int, memory_bytes: int, disk_bytes: int) -> None:
    flavor = flavor_of(Size(cpu_mhz, memory_bytes), disk_bytes)

    assert flavor.size == Size(cpu_mhz, memory_bytes)
    assert (flavor.vcpus - 1) * VCPU_MHZ < cpu_mhz <= flavor.vcpus * VCPU_MHZ
    assert (flavor.memory_mib - 1) * MIB < memory_bytes <= flavor.memory_mib * MIB
    assert flavor.name in (flavor.id, getattr(find_flavor(flavor.id), "name", None))
