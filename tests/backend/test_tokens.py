"""Tokens that are issued: what they say is what was signed, and nothing else comes in with one."""

from __future__ import annotations

import asyncio
import string
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from backend import tokens
from backend.folder import Credentials, FolderProblem, Secrets
from backend.tokens import Keyring, keyring
from tests.builders import NOON

ACCOUNT = "a@x"
HOUR = timedelta(seconds=tokens.LIFETIME_SECONDS)
BASE64 = string.ascii_letters + string.digits + "-_"


def credentials(password: str = "pa") -> Credentials:
    return Credentials({ACCOUNT: Secrets(password, "lasting-a"), "b@x": Secrets("pb", "lasting-b")})


@pytest.fixture(scope="module")
def ring() -> Iterator[Keyring]:
    with tempfile.TemporaryDirectory() as folder:
        yield keyring(Path(folder), credentials())


def issued(ring: Keyring, account: str = ACCOUNT) -> str:
    return ring.issue(account, "p1", ["password"], wall_now=NOON)[0]


@given(
    account=st.text(st.characters(exclude_categories=["Cs"]), max_size=64),
    project=st.none() | st.uuids().map(str),
    methods=st.lists(st.sampled_from(["password", "token"]), min_size=1, max_size=2, unique=True),
    microsecond=st.sampled_from([0, 1, 999_999]),
)
def test_what_was_issued_is_what_is_read(
    ring: Keyring, account: str, project: str | None, methods: list[str], microsecond: int
) -> None:
    now = NOON.replace(microsecond=microsecond)

    token, claims = ring.issue(account, project, methods, wall_now=now)

    assert ring.claims_of(token, wall_now=now) == claims
    assert (claims.account, claims.project_id, claims.methods) == (account, project, tuple(methods))
    assert claims.expires_at - claims.issued_at == HOUR
    assert token.isascii()
    assert " " not in token


@given(st.data())
def test_no_character_of_a_token_can_be_another(ring: Keyring, data: st.DataObject) -> None:
    token = issued(ring)
    at = data.draw(st.integers(0, len(token) - 1))
    # The last character of each part has bits that base64 itself does not look at.
    last = data.draw(st.sampled_from([at, token.index(".") - 1, len(token) - 1]))
    other = data.draw(st.sampled_from(BASE64 + ".=+/ ") | st.characters())
    assume(other != token[last])

    assert ring.claims_of(token[:last] + other + token[last + 1 :], wall_now=NOON) is None


@given(st.data())
def test_nothing_can_be_cut_out_of_a_token_or_put_into_it(ring: Keyring, data: st.DataObject) -> None:
    token = issued(ring)
    begin, end = sorted((data.draw(st.integers(0, len(token))), data.draw(st.integers(0, len(token)))))
    more = data.draw(st.text(max_size=3) | st.sampled_from(["=", "==", ".", "\n", "\0"]))
    changed = token[:begin] + more + token[end:]
    assume(changed != token)

    assert ring.claims_of(changed, wall_now=NOON) is None


@given(text=st.text() | st.text(BASE64 + ".="))
def test_no_other_text_is_a_token(ring: Keyring, text: str) -> None:
    assert ring.claims_of(text, wall_now=NOON) is None


def test_what_one_token_says_cannot_be_signed_by_another(ring: Keyring) -> None:
    bodies, signatures = zip(*(issued(ring, account).split(".") for account in (ACCOUNT, "b@x")), strict=True)

    assert ring.claims_of(f"{bodies[0]}.{signatures[1]}", wall_now=NOON) is None
    assert ring.claims_of(f"{bodies[1]}.{signatures[0]}", wall_now=NOON) is None


def test_a_text_longer_than_any_token_is_none(ring: Keyring) -> None:
    assert ring.claims_of("A" * 1_000_000, wall_now=NOON) is None


@pytest.mark.parametrize(
    ("seconds", "counts"), [(0, True), (3599, True), (3599.999, True), (3600, False), (3601, False), (10**8, False)]
)
def test_a_token_counts_for_an_hour_of_the_worlds_time(ring: Keyring, seconds: float, counts: bool) -> None:
    assert (ring.claims_of(issued(ring), wall_now=NOON + timedelta(seconds=seconds)) is not None) is counts


def test_a_token_given_for_another_ends_with_it_and_names_the_first_of_its_chain(ring: Keyring) -> None:
    _, first = ring.issue(ACCOUNT, None, ["password"], wall_now=NOON)
    later = NOON + timedelta(minutes=30)

    _, second = ring.issue(ACCOUNT, "p1", ["token"], wall_now=later, given_for=first)
    _, third = ring.issue(ACCOUNT, "p2", ["token"], wall_now=later, given_for=second)

    assert first.expires_at == second.expires_at == third.expires_at
    assert first.parent_audit_id is None
    assert second.parent_audit_id == third.parent_audit_id == first.audit_id
    assert len({first.audit_id, second.audit_id, third.audit_id}) == 3


def test_a_token_of_another_folder_is_nobodys(ring: Keyring, tmp_path: Path) -> None:
    other = keyring(tmp_path, credentials())

    assert other.claims_of(issued(ring), wall_now=NOON) is None
    assert ring.claims_of(issued(other), wall_now=NOON) is None


def test_tokens_outlive_a_restart(tmp_path: Path) -> None:
    token = issued(keyring(tmp_path, credentials()))

    assert keyring(tmp_path, credentials()).claims_of(token, wall_now=NOON) is not None


def test_a_changed_password_ends_the_tokens_of_its_account_and_of_nobody_else(tmp_path: Path) -> None:
    before = keyring(tmp_path, credentials())
    after = keyring(tmp_path, credentials("another"))

    assert after.claims_of(issued(before), wall_now=NOON) is None
    assert after.claims_of(issued(before, "b@x"), wall_now=NOON) is not None


def test_a_lasting_token_is_no_issued_one_and_the_other_way_round(ring: Keyring) -> None:
    assert ring.claims_of("lasting-a", wall_now=NOON) is None
    assert ring.account_by_token("lasting-a") == ACCOUNT
    assert ring.account_by_token(issued(ring)) is None


# Revoking


def test_a_revoked_token_is_nobodys_also_after_a_restart_and_no_other_token_is_touched(tmp_path: Path) -> None:
    ring = keyring(tmp_path, credentials())
    (one, claims), (two, _) = (ring.issue(ACCOUNT, "p1", ["password"], wall_now=NOON) for _ in range(2))

    asyncio.run(ring.revoke(claims, wall_now=NOON))

    for each in (ring, keyring(tmp_path, credentials())):
        assert each.claims_of(one, wall_now=NOON) is None
        assert each.claims_of(two, wall_now=NOON) is not None


def test_revocations_of_what_has_ended_are_forgotten_and_of_what_has_not_never(tmp_path: Path) -> None:
    ring = keyring(tmp_path, credentials())

    async def revoke_in_a_row() -> list[str]:
        revoked = []
        for minute in range(1200):
            now = NOON + timedelta(minutes=minute)
            token, claims = ring.issue(ACCOUNT, "p1", ["password"], wall_now=now)
            await ring.revoke(claims, wall_now=now)
            revoked.append(token)
        return revoked

    revoked = asyncio.run(revoke_in_a_row())

    end = NOON + timedelta(minutes=len(revoked) - 1)
    lines = (tmp_path / tokens.REVOKED).read_text().splitlines()
    assert 60 <= len(lines) <= 1100
    assert (tmp_path / tokens.REVOKED).stat().st_mode & 0o777 == 0o600
    again = keyring(tmp_path, credentials())
    assert all(again.claims_of(token, wall_now=end) is None for token in revoked[-60:])


def test_a_revocation_that_a_crash_cut_short_was_never_answered_for_and_spoils_nothing(tmp_path: Path) -> None:
    ring = keyring(tmp_path, credentials())
    one, claims = ring.issue(ACCOUNT, "p1", ["password"], wall_now=NOON)
    two, other = ring.issue(ACCOUNT, "p1", ["password"], wall_now=NOON)
    asyncio.run(ring.revoke(claims, wall_now=NOON))
    file = tmp_path / tokens.REVOKED
    file.write_text(file.read_text() + other.audit_id[:7])

    ring = keyring(tmp_path, credentials())
    asyncio.run(ring.revoke(other, wall_now=NOON))

    ring = keyring(tmp_path, credentials())
    assert ring.claims_of(one, wall_now=NOON) is ring.claims_of(two, wall_now=NOON) is None


# The files


def test_the_key_is_random_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    keys = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        keyring(tmp_path / name, credentials())
        file = tmp_path / name / tokens.KEY
        assert file.stat().st_mode & 0o777 == 0o600
        keys.add(bytes.fromhex(file.read_text()))

    assert {len(key) for key in keys} == {32}
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (tokens.KEY, b""),
        (tokens.KEY, b"00"),
        (tokens.KEY, b"x" * 64),
        (tokens.KEY, b"\xff" * 64),
        (tokens.REVOKED, b"no-instant\n"),
        (tokens.REVOKED, b"an-id soon\n"),
        (tokens.REVOKED, b"an-id 1 2\n"),
        (tokens.REVOKED, b"\xff\xff 1 2\n"),
    ],
)
def test_a_damaged_file_is_a_sentence_and_stays_as_it_is(tmp_path: Path, name: str, text: bytes) -> None:
    (tmp_path / name).write_bytes(text)

    with pytest.raises(FolderProblem, match=f"{name} is damaged. .*emove it"):
        keyring(tmp_path, credentials())

    assert (tmp_path / name).read_bytes() == text


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FolderProblem, match=r"token\.key cannot be used: no such file or directory"):
        keyring(tmp_path / "absent", credentials())
