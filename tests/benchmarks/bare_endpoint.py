"""`python -m tests.benchmarks.bare_endpoint FILE`: the floor of every answer: the least ASGI app, on our own server.

It answers everything with the bytes of the file, which are read once. It ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from starlette.types import Receive, Scope, Send

from backend import listening
from backend.__main__ import _loop_factory


class BareEndpoint:
    def __init__(self, body: bytes) -> None:
        self._body = body
        self._headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body})


async def main(body: bytes) -> None:
    bound = listening.bind_tcp("127.0.0.1", 0)
    wants_end = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.run_in_executor(None, sys.stdin.read).add_done_callback(lambda _: wants_end.set())

    def answering() -> None:
        print(json.dumps({"state": "ready", "url": listening.url_of(bound)}), flush=True)

    await listening.serve(
        BareEndpoint(body), [bound], wants_end=wants_end, on_answering=answering, on_ending=lambda: None
    )


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(main(Path(sys.argv[1]).read_bytes()))
