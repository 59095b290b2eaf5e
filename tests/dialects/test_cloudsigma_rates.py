"""The published rate limits of CloudSigma's API, where the cloud's setting turns them on."""

from __future__ import annotations

import pytest

from backend.dialects.cloudsigma import rates
from backend.dialects.cloudsigma.rates import DELETES_MAX, REQUESTS_MAX, Rates
from backend.dialects.wire import WireError
from tests.backend.support import TENANT
from tests.dialects.conftest import Tell
from tests.dialects.sigma import error_of
from tests.dialects.support import Wired, good


@pytest.mark.parametrize(("method", "most"), [("GET", REQUESTS_MAX), ("PUT", REQUESTS_MAX), ("DELETE", DELETES_MAX)])
def test_so_many_are_answered_in_a_minute_and_one_more_is_told_when_the_next_begins(method: str, most: int) -> None:
    now = 600.0
    limits = Rates(lambda: now)
    for _ in range(most):
        limits.take("me", method)

    now = 645.5
    with pytest.raises(WireError) as refused:
        limits.take("me", method)

    assert refused.value.status == 429
    assert refused.value.headers == {"Retry-After": "15"}
    limits.take("somebody else", method)
    limits.take("me", "GET" if method == "DELETE" else "DELETE")
    now = 660.0
    limits.take("me", method)


def test_they_count_while_the_setting_is_on(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "REQUESTS_MAX", 3)

    async def story(on: Wired) -> None:
        for _ in range(5):
            assert (await on.sigma.get("/servers/")).status_code == 200
        assert good(await on.ops.get("/settings"))["rate_limits"] is False
        assert (await on.tenant_ops.patch("/settings", json={"rate_limits": True})).status_code == 403
        good(await on.ops.patch("/settings", json={"rate_limits": True}))

        statuses = [(await on.sigma.get("/servers/")).status_code for _ in range(5)]
        refused = await on.sigma.post("/servers/", json={})

        assert statuses == [200, 200, 200, 429, 429]
        assert error_of(refused, 429)["error_type"] == "permission"
        assert int(refused.headers["retry-after"]) > 0
        assert (await on.tenant_sigma.get("/servers/")).status_code == 200
        assert (await on.sigma.get("/servers/", auth=(TENANT, "wrong"))).status_code == 401
        good(await on.ops.patch("/settings", json={"rate_limits": False}))
        assert (await on.sigma.get("/servers/")).status_code == 200

    # A minute could end in the middle of it.
    monkeypatch.setattr(rates, "WINDOW_SECONDS", 1e9)
    tell(story)
