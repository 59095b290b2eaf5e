"""What a backend has to say, as one object of JSON a line, on standard error: a console's child keeps it in the folder.

    {"at": "2026-11-20T14:03:27.123Z", "level": "info", "logger": "stratodeck.requests", "message": "request",
     "request_id": "4f1c...", "dialect": "nova", "method": "GET", "route": "/compute/v2.1/servers", "status": 200, ...}

`request_id` is what the client has seen as `X-Request-Id`, and `openstack_request_id` as `X-OpenStack-Request-Id`.
Whatever looks like a secret in a text that comes from an exception is struck out.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TextIO

LOGGED = ("none", "problems", "requests")
"""What is written: nothing; what goes wrong here, cells that fall silent among it; and each request as well."""

BYTES_MAX = 16 * 2**20
"""How long `backend.log` becomes before it begins anew."""

_LEVELS: Mapping[str, int] = {"none": logging.CRITICAL + 1, "problems": logging.ERROR, "requests": logging.INFO}

_SECRET = re.compile(
    r"(?i)\b(bearer|basic|token|password|passwd|secret|x-auth-token|x-subject-token|authorization|cookie|sessionid|"
    r"csrftoken)\b(['\"]?\s*[:=]?\s*['\"]?)(?:(?:bearer|basic|token)\s+)?[^\s'\",;)}\]]{6,}"
)


def struck_out(text: str) -> str:
    return _SECRET.sub(r"\1\2***", text)


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "at": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": struck_out(record.getMessage()),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["trace"] = struck_out(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=True, default=str)


class _Bounded(logging.StreamHandler[TextIO]):
    """Writes to a file of our own that was opened to be appended to, and begins it anew when it has grown too long."""

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        try:
            descriptor = self.stream.fileno()
            if os.fstat(descriptor).st_size > BYTES_MAX:
                os.ftruncate(descriptor, 0)
        except OSError:
            # A pipe, or a disk that does not answer: what is logged matters less than what is served.
            return


def begin(logged: str, stream: TextIO | None = None, *, is_ours: bool = False) -> logging.Handler:
    """From now on everything that is logged is a line of JSON. Returns the handler, to take it away again.

    Args:
        is_ours: Whether standard error is a file of ours, which may not grow for ever.
    """
    kind: type[logging.StreamHandler[TextIO]] = _Bounded if is_ours else logging.StreamHandler
    handler = kind(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.addHandler(handler)
    logging.getLogger("stratodeck").setLevel(_LEVELS[logged])
    return handler
