"""How much one account may ask for in a minute, where the cloud's setting `rate_limits` is on.

Source: CloudSigma API 2.0, "General": 10,000 GET, PUT and POST requests a minute, and 1,000 DELETE. What is answered
beyond that is not published: here it is 429, and `Retry-After` says when the next minute begins. The setting is off
unless somebody turns it on: most clouds here are for load, and for clients that a refusal would only puzzle.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

from backend.clock import monotonic_seconds
from backend.dialects.wire import WireError

REQUESTS_MAX, DELETES_MAX = 10_000, 1_000
WINDOW_SECONDS = 60.0


class Rates:
    """Counts by account, in windows of a minute that all begin at once."""

    def __init__(self, seconds: Callable[[], float] = monotonic_seconds) -> None:
        self._seconds = seconds
        self._window = -1
        self._asked: Counter[tuple[str, bool]] = Counter()

    def take(self, account: str, method: str) -> None:
        """Raises WireError 429 for one request too many."""
        now = self._seconds()
        window = int(now // WINDOW_SECONDS)
        if window != self._window:
            self._window = window
            self._asked.clear()
        is_delete = method == "DELETE"
        self._asked[account, is_delete] += 1
        most = DELETES_MAX if is_delete else REQUESTS_MAX
        if self._asked[account, is_delete] > most:
            wait = math.ceil((window + 1) * WINDOW_SECONDS - now)
            what = "DELETE requests" if is_delete else "requests"
            message = f"More than {most:,} {what} in one minute. Try again in {wait} seconds."
            raise WireError(429, "rate_limit", message, {"Retry-After": str(wait)})
