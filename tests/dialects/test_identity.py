"""Keystone's API: tokens and their scopes, who may look at what, and every way that a request can be wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest

from backend.dialects.wire import BODY_BYTES_MAX
from tests.backend.support import OPERATOR, TENANT
from tests.builders import NOON
from tests.dialects.conftest import Tell
from tests.dialects.support import PASSWORDS, Wall, Wired, good, refused

DEFAULT = {"id": "default"}
TOKENS = "/identity/v3/auth/tokens"


def user(name: str = TENANT, **changes: Any) -> dict[str, Any]:
    return {"name": name, "domain": DEFAULT, "password": PASSWORDS.get(name, "x"), **changes}


def by_password(name: str = TENANT, scope: Any = None, **changes: Any) -> dict[str, Any]:
    identity = {"methods": ["password"], "password": {"user": user(name, **changes)}}
    return {"auth": {"identity": identity, **({} if scope is None else {"scope": scope})}}


def by_token(token: str, scope: Any = None) -> dict[str, Any]:
    identity = {"methods": ["token"], "token": {"id": token}}
    return {"auth": {"identity": identity, **({} if scope is None else {"scope": scope})}}


def project(name: str) -> dict[str, Any]:
    return {"project": {"name": name, "domain": DEFAULT}}


async def issued(on: Wired, body: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A new token, and what is said of it."""
    answer = await on.bare.post(TOKENS, json=body)
    said: dict[str, Any] = good(answer, 201)["token"]
    return answer.headers["X-Subject-Token"], said


async def token_of(on: Wired, name: str = TENANT, scope: Any = None) -> str:
    return (await issued(on, by_password(name, scope)))[0]


def fault(answer: httpx.Response, status: int) -> str:
    """The message of an error in Keystone's shape."""
    error = refused(answer, status)["error"]
    assert set(refused(answer, status)) == {"error"}
    assert set(error) == {"code", "message", "title"}
    assert error["code"] == status
    assert error["title"] == answer.reason_phrase
    assert answer.headers["Vary"] == "X-Auth-Token"
    assert ("WWW-Authenticate" in answer.headers) is (status == 401)
    return str(error["message"])


# What a token says


def test_a_token_says_who_it_is_for_until_when_and_where_every_service_is(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        answer = await on.bare.post(TOKENS, json=by_password(scope=project("outside")))
        said = good(answer, 201)["token"]

        assert len(answer.headers["X-Subject-Token"]) < 1000
        assert said["methods"] == ["password"]
        assert said["user"] == {
            "domain": {"id": "default", "name": "Default"},
            "id": "2",
            "name": TENANT,
            "password_expires_at": None,
        }
        assert said["project"] == {"domain": {"id": "default", "name": "Default"}, "id": "outside", "name": "outside"}
        assert [role["name"] for role in said["roles"]] == ["member", "reader"]
        assert said["is_domain"] is False
        assert said["issued_at"] == NOON.strftime("%Y-%m-%dT%H:%M:%S.000000Z")
        assert said["expires_at"] == (NOON + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
        assert len(said["audit_ids"]) == 1
        assert {service["type"]: service["endpoints"][0]["url"] for service in said["catalog"]} == {
            "compute": "http://stratodeck/compute/v2.1",
            "identity": "http://stratodeck/identity",
            "image": "http://stratodeck/image",
        }
        for service in said["catalog"]:
            assert [each["interface"] for each in service["endpoints"]] == ["public", "internal", "admin"]
            assert {each["region_id"] for each in service["endpoints"]} == {"RegionOne"}

    tell(story)


@pytest.mark.parametrize("host", ["localhost:8774", "127.0.0.1", "[::1]:9"])
def test_the_catalog_leads_back_the_way_that_the_request_came(tell: Tell, host: str) -> None:
    async def story(on: Wired) -> None:
        answer = await on.bare.post(TOKENS, json=by_password(), headers={"Host": host})
        versions = await on.bare.get("/identity/v3", headers={"Host": host})

        urls = [each["url"] for service in good(answer, 201)["token"]["catalog"] for each in service["endpoints"]]
        assert all(url.startswith(f"http://{host}/") for url in urls)
        assert good(versions)["version"]["links"][0]["href"] == f"http://{host}/identity/v3/"

    tell(story)


def test_ids_are_without_dashes_and_are_found_with_them_too(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        token = await token_of(on, OPERATOR)
        first = good(await on.bare.get("/identity/v3/projects", headers={"X-Auth-Token": token}))["projects"][0]

        for id in ("inside", "in-side", "INSIDE"):
            scope = {"project": {"id": id}}
            assert (await issued(on, by_password(OPERATOR, scope)))[1]["project"]["id"] == first["id"] == "inside"

    tell(story)


@pytest.mark.parametrize(
    ("scope", "name"),
    [
        (None, "outside"),
        ("unscoped", None),
        ({"unscoped": {}}, None),
        ({"project": {"id": "outside"}}, "outside"),
        ({"project": {"name": "outside", "domain": {"id": "default"}}}, "outside"),
        ({"project": {"name": "outside", "domain": {"name": "Default"}}}, "outside"),
        ({"project": {"name": "outside", "domain": {"name": "default"}}}, "outside"),
    ],
)
def test_a_token_is_for_the_project_of_its_scope_and_without_one_for_the_accounts_own(
    tell: Tell, scope: Any, name: str | None
) -> None:
    async def story(on: Wired) -> None:
        _, said = await issued(on, by_password(scope=scope))

        assert ("catalog" in said, "roles" in said, "project" in said) == ((name is not None),) * 3
        assert name is None or said["project"]["name"] == name

    tell(story)


def test_staff_is_admin_in_every_project(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for name in ("inside", "outside"):
            _, said = await issued(on, by_password(OPERATOR, project(name)))
            assert said["project"]["name"] == name
            assert [role["name"] for role in said["roles"]] == ["admin", "member", "reader"]

    tell(story)


def test_the_catalog_can_be_left_out_and_asked_for(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        answer = await on.bare.post(TOKENS + "?nocatalog", json=by_password())
        assert "catalog" not in good(answer, 201)["token"]
        headers = {"X-Auth-Token": answer.headers["X-Subject-Token"]}
        assert len(good(await on.bare.get("/identity/v3/auth/catalog", headers=headers))["catalog"]) == 3

        unscoped = {"X-Auth-Token": await token_of(on, scope="unscoped")}
        assert "for no project" in fault(await on.bare.get("/identity/v3/auth/catalog", headers=unscoped), 403)

    tell(story)


@pytest.mark.parametrize(
    "who", [{"id": "2"}, {"name": TENANT, "domain": {"name": "DEFAULT"}}, {"name": TENANT, "domain": {"id": "default"}}]
)
def test_a_user_is_named_by_id_or_by_name_and_domain(tell: Tell, who: dict[str, Any]) -> None:
    async def story(on: Wired) -> None:
        body = by_password()
        body["auth"]["identity"]["password"]["user"] = {"password": PASSWORDS[TENANT], **who}
        assert (await issued(on, body))[1]["user"]["name"] == TENANT

    tell(story)


# For another token


def test_a_token_is_given_for_another_in_any_project_of_its_account_and_ends_no_later(tell: Tell) -> None:
    wall = Wall()

    async def story(on: Wired) -> None:
        first, said = await issued(on, by_password(OPERATOR, "unscoped"))
        wall.at = NOON + timedelta(minutes=20)
        second, then = await issued(on, by_token(first, project("outside")))
        _, last = await issued(on, by_token(second, project("inside")))

        assert (then["project"]["name"], last["project"]["name"]) == ("outside", "inside")
        assert said["expires_at"] == then["expires_at"] == last["expires_at"]
        assert then["issued_at"] > said["issued_at"]
        assert then["methods"] == last["methods"] == ["token", "password"]
        assert then["audit_ids"][1] == last["audit_ids"][1] == said["audit_ids"][0]

    tell(story, wall=wall)


def test_a_lasting_token_is_taken_for_one_of_an_hour(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        _, said = await issued(on, by_token("tenant-token", project("outside")))

        assert said["methods"] == ["token"]
        assert said["expires_at"] == (NOON + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")

    tell(story)


def test_two_methods_must_prove_the_same_account(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for name, status in ((TENANT, 201), (OPERATOR, 401)):
            body = by_password()
            body["auth"]["identity"]["methods"] = ["password", "token"]
            body["auth"]["identity"]["token"] = {"id": await token_of(on, name)}
            assert (await on.bare.post(TOKENS, json=body)).status_code == status

    tell(story)


# Looked at, and revoked


def test_a_token_is_validated_as_it_was_issued(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        token, said = await issued(on, by_password())
        headers = {"X-Auth-Token": token, "X-Subject-Token": token}
        answer = await on.bare.get(TOKENS, headers=headers)

        assert good(answer)["token"] == said
        assert answer.headers["X-Subject-Token"] == token
        assert (await on.bare.head(TOKENS, headers=headers)).status_code == 200

    tell(story)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_another_accounts_token_is_for_staff_to_look_at_and_to_revoke(tell: Tell, method: str) -> None:
    async def story(on: Wired) -> None:
        mine, theirs = await token_of(on), await token_of(on, OPERATOR)

        async def asked(by: str, about: str) -> int:
            headers = {"X-Auth-Token": by, "X-Subject-Token": about}
            return (await on.bare.request(method, TOKENS, headers=headers)).status_code

        assert await asked(mine, theirs) == 403
        assert await asked(theirs, mine) == (204 if method == "DELETE" else 200)

    tell(story)


def test_a_revoked_token_opens_nothing_any_more(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        token, other = await token_of(on), await token_of(on)
        headers = {"X-Auth-Token": token, "X-Subject-Token": token}
        assert (await on.bare.delete(TOKENS, headers=headers)).status_code == 204

        fault(await on.bare.get(TOKENS, headers=headers), 401)
        fault(await on.bare.get(TOKENS, headers=headers | {"X-Auth-Token": other}), 404)
        fault(await on.bare.post(TOKENS, json=by_token(token)), 401)
        refused(await on.bare.get("/image/v2/images", headers=headers), 401)
        refused(await on.bare.get("/ops/v1/servers", headers={"Authorization": f"Bearer {token}"}), 401)
        good(await on.bare.get("/image/v2/images", headers={"X-Auth-Token": other}))

    tell(story)


def test_a_token_ends_by_the_worlds_clock_and_not_by_the_clouds(tell: Tell) -> None:
    wall = Wall()

    async def story(on: Wired) -> None:
        headers = {"X-Auth-Token": await token_of(on)}
        await on.advance(86_400)
        good(await on.bare.get("/identity/v3/auth/projects", headers=headers))
        wall.at = NOON + timedelta(seconds=3599)
        good(await on.bare.get("/identity/v3/auth/projects", headers=headers))
        wall.at = NOON + timedelta(seconds=3600)
        fault(await on.bare.get("/identity/v3/auth/projects", headers=headers), 401)

    tell(story, wall=wall)


# In the other dialects


def test_an_issued_token_comes_in_wherever_a_lasting_one_does_and_acts_in_its_project(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        body = {"name": "web-01", "cpu_mhz": 2000, "memory_bytes": 4 * 2**30}
        for name in ("inside", "outside"):
            headers = {"Authorization": f"Bearer {await token_of(on, OPERATOR, project(name))}"}
            made = good(await on.bare.post("/ops/v1/servers", json=body, headers=headers), 201)
            assert made["project_id"] == name

        own = {"Authorization": f"Bearer {await token_of(on)}"}
        assert good(await on.bare.get("/ops/v1/servers", headers=own))["total"] == 1

    tell(story)


# Who may look at what


def test_projects_users_and_the_domain_as_staff_sees_them(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        headers = {"X-Auth-Token": await token_of(on, OPERATOR)}

        async def names(path: str, key: str) -> list[str]:
            answer = good(await on.bare.get(f"/identity/v3{path}", headers=headers))
            assert answer["links"]["next"] is None
            return [row["name"] for row in answer[key]]

        assert await names("/projects", "projects") == ["inside", "outside"]
        assert await names("/projects/", "projects") == ["inside", "outside"]
        assert await names("/auth/projects", "projects") == ["inside", "outside"]
        assert await names("/projects?name=outside", "projects") == ["outside"]
        assert await names("/projects?name=nothing&enabled=True", "projects") == []
        assert await names("/projects?is_domain=true", "projects") == []
        assert await names("/projects?enabled=1&domain_id=default&colour=red", "projects") == ["inside", "outside"]
        assert await names("/users", "users") == [OPERATOR, TENANT]
        assert await names(f"/users?name={TENANT}", "users") == [TENANT]
        assert await names("/users/2/projects", "projects") == ["outside"]
        assert await names("/domains", "domains") == ["Default"]
        assert await names("/auth/domains", "domains") == []
        for path, kind in (("/projects/outside", "project"), ("/users/2", "user"), ("/domains/default", "domain")):
            row = good(await on.bare.get(f"/identity/v3{path}", headers=headers))[kind]
            assert row["links"]["self"] == f"http://stratodeck/identity/v3{path}"

    tell(story)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/auth/projects", 200),
        ("/auth/domains", 200),
        ("/auth/catalog", 200),
        ("/users/2", 200),
        ("/users/2/projects", 200),
        ("/projects/outside", 200),
        ("/domains/default", 200),
        ("/projects", 403),
        ("/users", 403),
        ("/domains", 403),
        ("/users/1", 403),
        ("/users/1/projects", 403),
        ("/users/nobody", 403),
        ("/projects/inside", 404),
        ("/projects/nothing", 404),
        ("/domains/other", 404),
    ],
)
def test_a_tenant_sees_itself_and_its_projects_and_nothing_that_would_tell_of_others(
    tell: Tell, path: str, status: int
) -> None:
    async def story(on: Wired) -> None:
        for token in ("tenant-token", await token_of(on), await token_of(on, scope="unscoped")):
            answer = await on.bare.get(f"/identity/v3{path}", headers={"X-Auth-Token": token})
            if path == "/auth/catalog" and answer.status_code == 403:
                assert "for no project" in fault(answer, 403)
            elif status == 200:
                good(answer)
            else:
                fault(answer, status)

    tell(story)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/identity", 300), ("/identity/", 300), ("/identity/v3", 200), ("/identity/v3/", 200)],
)
def test_versions_need_no_token(tell: Tell, path: str, status: int) -> None:
    async def story(on: Wired) -> None:
        answer = good(await on.bare.get(path), status)
        version = answer["version"] if status == 200 else answer["versions"]["values"][0]
        assert (version["id"], version["status"]) == ("v3.14", "stable")

    tell(story)


# Bad input

WITHOUT = object()

AUTH_CHANGES: list[tuple[str, Any, int, str]] = [
    # Where in the request, what is put there, the status, and a part of the sentence
    ("auth", WITHOUT, 400, "auth: This field is required"),
    ("auth", None, 400, "auth: "),
    ("auth", "me", 400, "auth: "),
    ("auth", [], 400, "auth: "),
    ("auth.identity", WITHOUT, 400, "auth.identity: This field is required"),
    ("auth.identity", 7, 400, "auth.identity: "),
    ("auth.identity.methods", WITHOUT, 400, "auth.identity.methods: This field is required"),
    ("auth.identity.methods", [], 400, "auth.identity.methods: "),
    ("auth.identity.methods", "password", 400, "auth.identity.methods: "),
    ("auth.identity.methods", [7], 400, "auth.identity.methods.0: "),
    ("auth.identity.methods", ["password"] * 9, 400, "auth.identity.methods: "),
    ("auth.identity.methods", ["totp"], 401, "unsupported method: 'totp'"),
    ("auth.identity.methods", ["password", "saml2"], 401, "unsupported method: 'saml2'"),
    ("auth.identity.methods", ["token"], 400, "Expecting to find token in identity"),
    ("auth.identity.password", WITHOUT, 400, "Expecting to find password in identity"),
    ("auth.identity.password", {}, 400, "auth.identity.password.user: This field is required"),
    ("auth.identity.password.user", {}, 400, "auth.identity.password.user.password: This field is required"),
    ("auth.identity.password.user", {"password": "x"}, 400, "id or name must be present"),
    ("auth.identity.password.user.password", WITHOUT, 400, "This field is required"),
    ("auth.identity.password.user.password", None, 400, "auth.identity.password.user.password: "),
    ("auth.identity.password.user.password", 7, 400, "auth.identity.password.user.password: "),
    ("auth.identity.password.user.password", "x" * 4097, 400, "auth.identity.password.user.password: "),
    ("auth.identity.password.user.password", "", 401, "requires authentication"),
    ("auth.identity.password.user.password", "wrong", 401, "requires authentication"),
    ("auth.identity.password.user.password", "\x00", 401, "requires authentication"),
    ("auth.identity.password.user.password", PASSWORDS[OPERATOR], 401, "requires authentication"),
    ("auth.identity.password.user.name", "nobody@example.org", 401, "requires authentication"),
    ("auth.identity.password.user.name", "", 401, "requires authentication"),
    ("auth.identity.password.user.name", 7, 400, "auth.identity.password.user.name: "),
    ("auth.identity.password.user.id", "nobody", 401, "requires authentication"),
    ("auth.identity.password.user.id", "1", 401, "requires authentication"),
    ("auth.identity.password.user.domain", WITHOUT, 400, "needs a domain beside its name"),
    ("auth.identity.password.user.domain", {}, 400, "id or name must be present"),
    ("auth.identity.password.user.domain", {"id": "other"}, 401, "requires authentication"),
    ("auth.identity.password.user.domain", {"name": "Other"}, 401, "requires authentication"),
    ("auth.scope", 7, 400, "auth.scope"),
    ("auth.scope", "everything", 400, "auth.scope"),
    ("auth.scope", {}, 400, "must have exactly one of project, domain, system and unscoped"),
    ("auth.scope", {"project": {"id": "outside"}, "domain": DEFAULT}, 400, "must have exactly one of"),
    ("auth.scope", {"project": {}}, 400, "id or name must be present"),
    ("auth.scope", {"project": {"name": "outside"}}, 400, "needs a domain beside its name"),
    ("auth.scope", {"project": {"name": "outside", "domain": {"id": "other"}}}, 401, "has no role in the project"),
    ("auth.scope", {"project": {"name": "inside", "domain": DEFAULT}}, 401, "has no role in the project"),
    ("auth.scope", {"project": {"id": "inside"}}, 401, "has no role in the project"),
    ("auth.scope", {"project": {"id": "nothing"}}, 401, "has no role in the project"),
    ("auth.scope", {"domain": DEFAULT}, 401, "gives no token for a domain"),
    ("auth.scope", {"domain": None}, 401, "gives no token for a domain"),
    ("auth.scope", {"system": {"all": True}}, 401, "gives no token for a system"),
    ("auth.scope", {"OS-TRUST:trust": {"id": "x"}}, 401, "gives no token for a trust"),
]


def changed(body: dict[str, Any], where: str, value: Any) -> dict[str, Any]:
    *way, last = where.split(".")
    inner = body
    for key in way:
        inner = inner[key]
    if value is WITHOUT:
        inner.pop(last)
    else:
        inner[last] = value
    return body


def test_every_wrong_token_request_is_answered_in_a_sentence_and_no_token_is_made(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        for where, value, status, part in AUTH_CHANGES:
            answer = await on.bare.post(TOKENS, json=changed(by_password(), where, value))
            message = fault(answer, status)
            assert part in message, f"{where} = {value!r}: {message}"
            assert "X-Subject-Token" not in answer.headers
            assert PASSWORDS[TENANT] not in answer.text

    tell(story)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"null", 400),
        (b"[]", 400),
        (b'"auth"', 400),
        (b"[" * 100_000, 400),
        (b'{"auth": ' * 5000 + b"1" + b"}" * 5000, 400),
        (json.dumps(by_password()).replace("tenant-password", "\\ud800").encode(), 400),
        (b" " * (BODY_BYTES_MAX + 1), 413),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_body_that_is_no_request_is_refused(tell: Tell, body: bytes, status: int) -> None:
    async def story(on: Wired) -> None:
        answer = await on.bare.post(TOKENS, content=body)
        if status == 413:
            assert answer.json()["error"]["title"] in ("Request Entity Too Large", "Content Too Large")
        else:
            fault(answer, status)

    tell(story)


@pytest.mark.parametrize(
    "token",
    [None, "", " ", "x", "a.b", "A" * 4000, "tenant-tokem", "\u00e9", "..", "null.null", TENANT],
    ids=lambda token: repr(token)[:20],
)
def test_whoever_has_no_token_that_counts_learns_where_to_get_one(tell: Tell, token: str | None) -> None:
    async def story(on: Wired) -> None:
        headers = httpx.Headers() if token is None else httpx.Headers({b"X-Auth-Token": token.encode()})
        for path in ("/auth/tokens", "/auth/projects", "/auth/catalog", "/projects", "/users/2", "/domains/default"):
            answer = await on.bare.get(f"/identity/v3{path}", headers=headers)
            assert "requires authentication" in fault(answer, 401)
            assert answer.headers["WWW-Authenticate"] == 'Keystone uri="http://stratodeck/identity"'
        if token is not None:
            fault(await on.bare.post(TOKENS, json=by_token(token)), 401)

    tell(story)


@pytest.mark.parametrize(
    ("subject", "status"),
    [(None, 400), ("", 400), ("x", 404), ("tenant-token", 404), ("a.b", 404), ("x" * 9000, 404)],
    ids=lambda value: repr(value)[:20],
)
def test_a_subject_that_is_no_issued_token_is_not_found(tell: Tell, subject: str | None, status: int) -> None:
    async def story(on: Wired) -> None:
        headers = {"X-Auth-Token": "operator-token"} | ({} if subject is None else {"X-Subject-Token": subject})
        for method in ("GET", "DELETE"):
            message = fault(await on.bare.request(method, TOKENS, headers=headers), status)
            assert not subject or subject not in message.split(), "a token is never written down"

    tell(story)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/identity/v2.0", 404),
        ("GET", "/identity/v3/groups", 404),
        ("POST", "/identity/v2.0/tokens", 404),
        ("POST", "/identity/v3/projects", 405),
        ("PATCH", "/identity/v3/users/2", 405),
        ("DELETE", "/identity/v3/projects/outside", 405),
        ("PUT", "/identity/v3/auth/tokens", 405),
        ("POST", "/identity/v3", 405),
    ],
)
def test_what_is_not_there_and_what_cannot_be_changed_is_refused_in_keystones_shape(
    tell: Tell, method: str, path: str, status: int
) -> None:
    async def story(on: Wired) -> None:
        answer = await on.bare.request(method, path, headers={"X-Auth-Token": "operator-token"}, json={})
        fault(answer, status)
        assert ("Allow" in answer.headers) is (status == 405)

    tell(story)


def test_an_unknown_user_and_a_wrong_password_get_the_same_answer(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        bodies = [by_password(password="wrong"), by_password("nobody@example.org")]
        answers = [await on.bare.post(TOKENS, json=body) for body in bodies]

        assert answers[0].json() == answers[1].json()
        assert answers[0].status_code == answers[1].status_code == 401

    tell(story)


def test_a_request_under_another_name_is_refused_before_its_credentials_are_read(tell: Tell) -> None:
    async def story(on: Wired) -> None:
        answer = await on.bare.post(TOKENS, json=by_password(), headers={"Host": "evil.example.org"})

        assert "does not name this server" in fault(answer, 400)
        assert "X-Subject-Token" not in answer.headers

    tell(story)
