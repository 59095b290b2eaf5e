"""A cloud small enough to test the process around it: one text file, and one path that tells what is in it.

`python -m tests.backend.stub_cloud` takes the arguments of `python -m backend` and differs only in the cloud.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from backend import folder
from backend.__main__ import Opened, Options, main
from backend.folder import FolderProblem


@dataclass
class StubOpened:
    kind: str
    fleet: str | None = None
    cloud_id: str = "00000000-0000-0000-0000-000000000001"
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def app(self) -> ASGIApp:
        return Starlette(
            routes=[
                Route("/", self.look),
                Route("/wait", self.wait),
                Route("/ops/v1/cells/{name}/reachability", self.reach, methods=["PUT"]),
                Route("/ops/v1/hosts", self.hosts),
                Route("/ops/v1/hosts/{name}/actions", self.act, methods=["POST"]),
            ]
        )

    def tell(self) -> None:
        self.news.set()

    async def look(self, request: Request) -> Response:
        return JSONResponse({"pid": os.getpid(), "kind": self.kind})

    async def wait(self, request: Request) -> Response:
        await self.news.wait()
        return JSONResponse({"news": True})

    async def reach(self, request: Request) -> Response:
        name, state = request.path_params["name"], (await request.json())["state"]
        if name != "cell-1":
            return JSONResponse({"error": {"code": "not_found", "message": f"There is no cell {name}."}}, 404)
        return JSONResponse(
            {"name": name, "state": state, "reason": request.headers["authorization"].partition(" ")[0]}
        )

    async def hosts(self, request: Request) -> Response:
        names = ("c1-h01", "c1-h02", "c2-h01", "c1-h$(touch owned)", "c1-h\n3", "-c1")
        return JSONResponse({"hosts": [{"name": name} for name in names]})

    async def act(self, request: Request) -> Response:
        """A host with a hostile name on it that may be drained and nothing else, and one whose answers are strange."""
        name, body = request.path_params["name"], await request.json()
        if name == "strange":
            return JSONResponse({"plan": {"moves": 3}})
        problem = None if body["action"] == "drain" else f"Cannot {body['action']} host {name}."
        if not body["preview"]:
            if problem is not None:
                return JSONResponse({"error": {"code": "wrong_state", "message": f"{problem}\x1b[2J"}}, 409)
            return JSONResponse({"host": {"name": name, "cell": "cell-1"}, "task": None}, 202)
        move = {"id": "u1", "name": "web\x1b[2J", "outcome": "moves", "to": "h2"}
        plan = {"action": body["action"], "host": name, "allowed": problem is None, "problem": problem}
        return JSONResponse({"plan": plan | {"moves": [] if problem else [move], "sentences": ["It goes."]}})


class StubCloud:
    """What it was made as is all that it holds."""

    def make(self, options: Options, progress: Callable[[str, float], None]) -> None:
        if not (options.path / "cloud.db").exists():
            progress("Making a stub", 0.5)
            folder.write_private(options.path / "cloud.db", json.dumps({"kind": options.kind or "demo"}))

    @asynccontextmanager
    async def open(self, options: Options) -> AsyncIterator[Opened]:
        try:
            kind = json.loads((options.path / "cloud.db").read_text())["kind"]
        except ValueError as error:
            raise FolderProblem(f"{options.path / 'cloud.db'} is damaged.") from error
        folder.ensure_credentials(options.path, [folder.OPERATOR, "tenant@stratodeck.local"])
        yield StubOpened(kind)


if __name__ == "__main__":
    sys.exit(main(cloud=StubCloud()))
