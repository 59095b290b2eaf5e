"""Glance's API: the library, listed, filtered, ordered and in pages; and never written to."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.cloud.catalogue import IMAGES
from backend.cloud.errors import Invalid
from backend.cloud.model import GIB
from backend.dialects.image import library
from tests.builders import NOON
from tests.dialects.conftest import Tell
from tests.dialects.support import Wired, good, refused

AUTH = {"X-Auth-Token": "tenant-token"}
NAMES = [image.name for image in IMAGES]
IDS = {image.name: image.id for image in IMAGES}
ALL = library.images(NOON)


def names(query: dict[str, str] | list[tuple[str, str]]) -> list[str]:
    pairs = list(query.items()) if isinstance(query, dict) else query
    return [row["name"] for row in library.page(ALL, pairs)["images"]]


def test_an_image_says_what_it_is_and_what_it_needs(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        image = good(await on.bare.get(f"/image/v2/images/{IDS['ubuntu-24.04']}", headers=AUTH))

        wanted = {
            "name": "ubuntu-24.04", "status": "active", "visibility": "public", "protected": True, "size": 3 * GIB,
            "min_disk": 3, "os_distro": "ubuntu", "os_version": "24.04", "os_admin_user": "ubuntu", "owner": None,
            "created_at": "2026-11-20T12:00:00Z", "self": f"/v2/images/{IDS['ubuntu-24.04']}",
        }  # fmt: skip
        assert {key: image[key] for key in wanted} == wanted
        assert image in good(await on.bare.get("/image/v2/images", headers=AUTH))["images"]

    tell(story)


def test_images_are_the_same_with_every_token_of_a_project(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        lists = [
            good(await on.bare.get("/image/v2/images", headers={"X-Auth-Token": token}))
            for token in ("tenant-token", "operator-token")
        ]
        assert [row["name"] for row in lists[0]["images"]] == NAMES
        assert lists[0] == lists[1]
        assert lists[0]["first"] == "/v2/images"
        assert "next" not in lists[0]

    tell(story)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"name": "debian-12"}, ["debian-12"]),
        ({"name": "in:debian-12,rocky-9"}, ["debian-12", "rocky-9"]),
        ({"name": 'in:"debian-12",x'}, ["debian-12"]),
        ({"name": "Debian-12"}, []),
        ({"id": f"in:{IDS['debian-12']},{IDS['cirros-0.6']}"}, ["debian-12", "cirros-0.6"]),
        ({"id": IDS["cirros-0.6"]}, ["cirros-0.6"]),
        ({"id": "in:"}, []),
        ({"status": "active"}, NAMES),
        ({"status": "in:queued,active"}, NAMES),
        ({"status": "queued"}, []),
        ({"visibility": "public"}, NAMES),
        ({"visibility": "all"}, NAMES),
        ({"visibility": "private"}, []),
        ({"os_hidden": "False"}, NAMES),
        ({"os_hidden": "true"}, []),
        ({"protected": "true"}, NAMES),
        ({"tag": "x"}, []),
        ({"member_status": "all"}, NAMES),
        ({"os_distro": "alpine"}, ["alpine-3.20"]),
        ({"colour": "red"}, []),
        ({"size_min": str(3 * GIB)}, ["ubuntu-24.04", "rocky-9", "fedora-41"]),
        ({"size_max": str(GIB)}, ["alpine-3.20", "cirros-0.6"]),
        ({"size_min": str(2 * GIB), "size_max": str(2 * GIB)}, ["debian-12"]),
        ({"created_at": "gte:2026-11-20T12:00:00Z"}, NAMES),
        ({"created_at": "2026-11-20T13:00:00+01:00"}, NAMES),
        ({"created_at": "gt:2026-11-20T12:00:00"}, []),
        ({"created_at": "gt:0001-01-01T00:00:00+23:59"}, NAMES),
        ({"updated_at": "lt:2030-01-01T00:00:00Z", "name": "rocky-9"}, ["rocky-9"]),
        ({"limit": "0"}, []),
        ({"limit": "2"}, NAMES[:2]),
        ({"limit": "2", "marker": IDS[NAMES[1]]}, NAMES[2:4]),
        ({"sort_key": "name", "sort_dir": "asc"}, sorted(NAMES)),
        ({"sort_key": "name"}, sorted(NAMES, reverse=True)),
        ({"sort": "size:asc,name:asc"}, sorted(NAMES, key=lambda name: (ALL[NAMES.index(name)]["size"], name))),
        ({"sort": "name"}, sorted(NAMES, reverse=True)),
    ],
    ids=str,
)
def test_what_is_asked_for_is_what_is_listed(query: dict[str, str], found: list[str]) -> None:
    assert names(query) == found


def test_each_sort_key_has_its_direction() -> None:
    pairs = [("sort_key", "size"), ("sort_key", "name"), ("sort_dir", "desc"), ("sort_dir", "asc")]

    assert names(pairs) == sorted(NAMES, key=lambda name: (-ALL[NAMES.index(name)]["size"], name))


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ({"limit": "-1"}, "limit param must be an integer"),
        ({"limit": "ten"}, "limit param must be an integer"),
        ({"limit": "²"}, "limit param must be an integer"),
        ({"limit": "9" * 30}, "limit param must be an integer"),
        ({"marker": "x"}, "Invalid marker"),
        ({"marker": IDS["debian-12"], "name": "rocky-9"}, "Invalid marker"),
        ({"sort_key": "colour"}, "Invalid sort key: colour"),
        ({"sort_dir": "up"}, "Invalid sort direction: up"),
        ({"sort": "name:up"}, "Invalid sort direction: up"),
        ({"sort": "name", "sort_key": "name"}, "cannot be combined"),
        ([("sort_dir", "asc"), ("sort_dir", "asc"), ("sort_key", "name")], "does not match the number"),
        ({"status": "lost"}, "Invalid status value: lost"),
        ({"status": "in:active,lost"}, "Invalid status value: lost"),
        ({"visibility": "secret"}, "Invalid visibility value: secret"),
        ({"os_hidden": "maybe"}, "must be true or false"),
        ({"size_min": "big"}, "not a whole number of bytes"),
        ({"name": 'in:"debian-12'}, "Unterminated quote"),
        ({"created_at": "yesterday"}, "not an instant"),
        ({"created_at": "near:2026-11-20T12:00:00Z"}, "not an instant"),
    ],
    ids=str,
)
def test_a_question_without_meaning_is_400_in_a_sentence(tell: Tell, query: Any, part: str) -> None:
    async def story(on: Wired) -> None:
        answer = refused(await on.bare.get("/image/v2/images", params=query, headers=AUTH), 400)

        assert set(answer) == {"message", "code", "title"}
        assert (answer["code"], answer["title"]) == ("400 Bad Request", "Bad Request")
        assert part in answer["message"]

    tell(story)


@given(limit=st.integers(1, 8), key=st.sampled_from(sorted(library.SORT_KEYS)), word=st.sampled_from(["asc", "desc"]))
def test_pages_together_are_the_whole_list_once(limit: int, key: str, word: str) -> None:
    pairs = [("limit", str(limit)), ("sort", f"{key}:{word}")]
    whole = names(pairs[1:])
    found: list[str] = []
    for _ in range(len(NAMES) + 2):
        page = library.page(ALL, pairs)
        assert len(page["images"]) <= limit
        found += [row["name"] for row in page["images"]]
        if "next" not in page:
            break
        pairs = parse_qsl(urlsplit(page["next"]).query)
    else:
        raise AssertionError("the pages never end")

    assert found == whole


@given(st.lists(st.tuples(st.sampled_from(["name", "id", "limit", "sort", "created_at", "tag", "x"]), st.text())))
def test_any_question_is_answered_or_refused(pairs: list[tuple[str, str]]) -> None:
    with suppress(Invalid):
        assert set(names(pairs)) <= set(NAMES)


# Who may ask, and what nobody may


@pytest.mark.parametrize("token", [None, "", "x", "operator"])
def test_without_a_token_that_counts_nothing_is_shown_but_the_versions(tell: Tell, token: str | None) -> None:
    async def story(on: Wired) -> None:
        headers = {} if token is None else {"X-Auth-Token": token}
        for path in ("/v2/images", "/v2/images/x", "/v2/schemas/image"):
            answer = await on.bare.get(f"/image{path}", headers=headers)
            assert refused(answer, 401)["error"]["title"] == "Unauthorized"
            assert answer.headers["WWW-Authenticate"] == 'Keystone uri="http://stratodeck/identity"'
        for path, status in (("", 300), ("/", 300), ("/versions", 200), ("/versions/", 200)):
            versions = good(await on.bare.get(f"/image{path}", headers=headers), status)["versions"]
            assert [each["status"] for each in versions].count("CURRENT") == 1
            assert {each["links"][0]["href"] for each in versions} == {"http://stratodeck/image/v2/"}

    tell(story)


def test_a_token_for_no_project_opens_no_library(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        identity = {"methods": ["token"], "token": {"id": "tenant-token"}}
        body = {"auth": {"identity": identity, "scope": "unscoped"}}
        token = (await on.bare.post("/identity/v3/auth/tokens", json=body)).headers["X-Subject-Token"]

        answer = await on.bare.get("/image/v2/images", headers={"X-Auth-Token": token})

        assert "for no project" in refused(answer, 403)["message"]

    tell(story)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v2/images", 403),
        ("PATCH", "/v2/images/{id}", 403),
        ("PUT", "/v2/images/{id}", 403),
        ("DELETE", "/v2/images/{id}", 403),
        ("GET", "/v2/images/{id}/file", 403),
        ("PUT", "/v2/images/{id}/file", 403),
        ("PUT", "/v2/images/{id}/tags/x", 403),
        ("DELETE", "/v2/images/{id}/tags/x", 403),
        ("POST", "/v2/images/{id}/actions/deactivate", 403),
        ("DELETE", "/v2/images/x", 404),
        ("GET", "/v2/images/x", 404),
        ("GET", "/v2/images/00000000-0000-0000-0000-000000000000", 404),
        ("GET", "/v2/images/{id}/members", 404),
        ("GET", "/v1/images", 404),
        ("POST", "/v2/images/{id}", 405),
        ("DELETE", "/v2/images", 405),
        ("PATCH", "/v2/schemas/image", 405),
        ("POST", "", 405),
    ],
)
def test_the_library_is_read_only(tell: Tell, method: str, path: str, status: int) -> None:
    async def story(on: Wired) -> None:
        path_of = f"/image{path}".format(id=IDS["debian-12"])
        answer = await on.bare.request(method, path_of, headers={"X-Auth-Token": "operator-token"}, content=b"x")

        assert set(refused(answer, status)) == {"message", "code", "title"}
        assert ("Allow" in answer.headers) is (status == 405)
        assert [row["name"] for row in good(await on.bare.get("/image/v2/images", headers=AUTH))["images"]] == NAMES

    tell(story)


def test_the_schema_names_all_that_an_image_has(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        one = good(await on.bare.get("/image/v2/schemas/image", headers=AUTH))
        many = good(await on.bare.get("/image/v2/schemas/images", headers=AUTH))

        assert set(one["properties"]) == set(ALL[0])
        assert all(each["readOnly"] for each in one["properties"].values())
        assert many["properties"]["images"]["items"] == one

    tell(story)
