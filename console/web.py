"""The same console in a browser: a page on the loopback behind a token, with a terminal in it.

textual-serve starts one console for each tab and carries its screen over a websocket. What is ours is who may come in,
because a page on the loopback can be asked for by every program of this machine, and by every page in its browsers:

    token     in the address that is printed once; it is exchanged for a cookie, and leaves the address bar with that
    cookie    HttpOnly and SameSite=Strict, another secret than the token; without one of the two there is nothing
    Host      must be our own address, so that no other name can be made to point here
    Origin    of a websocket must be our own page, so that no other page can open one
    sessions  at most so many at once: each is a process

Neither secret is part of an argument list, of an environment or of a log. The page asks nothing of other machines: what
its template would load from elsewhere is forbidden by its headers.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from shlex import join

from aiohttp import WSCloseCode, web
from textual_serve.app_service import AppService
from textual_serve.server import Server, to_int

HOST = "127.0.0.1"
SESSIONS_MAX = 8
ENDING_SECONDS = 5.0
"""How long sessions may take to end when the server does."""

_HEAD = '<title>stratodeck</title>\n    <link rel="icon" href="data:," />\n  </head>'
_FOCUS = """\
    <script>
      // The keys are for the terminal from the first one on, not only after a click into it.
      const looking = setInterval(() => {
        const typed = document.querySelector(".xterm-helper-textarea");
        if (typed && document.body.classList.contains("-first-byte")) {
          clearInterval(looking);
          typed.focus();
        }
      }, 50);
    </script>
  </body>"""

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Session(AppService):
    """The console of one tab."""

    async def end(self) -> None:
        """Ask it to leave, and see it gone: what does not leave in time is ended."""
        if self._process is None:
            return
        try:
            async with asyncio.timeout(ENDING_SECONDS):
                await self.stop()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
        await self._process.wait()


class WebConsole(Server):
    """The pages and sessions of one address."""

    def __init__(self, command: Sequence[str], port: int, *, sessions_max: int = SESSIONS_MAX) -> None:
        """`command` starts a console; it is started anew for each tab."""
        # The shell that textual-serve starts it with is replaced by it, so that what ends the one ends the other.
        super().__init__(f"exec {join(command)}", host=HOST, port=port, title="stratodeck")
        self.address = f"http://{HOST}:{port}"
        self.sessions_max = sessions_max
        self._token = secrets.token_urlsafe(32)
        self._cookie_name = f"stratodeck-{port}"
        self._cookie = secrets.token_urlsafe(32)
        self._sessions: set[asyncio.Task[object]] = set()

    @property
    def entrance(self) -> str:
        """The address that lets its reader in. To be printed, and nowhere else."""
        return f"{self.address}/?token={self._token}"

    @property
    def sessions(self) -> int:
        """How many tabs are open, or still ending."""
        return len(self._sessions)

    async def ended(self) -> None:
        """Wait until one of those that are open has ended."""
        if self._sessions:
            await asyncio.wait(self._sessions, return_when=asyncio.FIRST_COMPLETED)

    async def app(self) -> web.Application:
        made = await self._make_app()
        made.middlewares.append(self._guard)
        return made

    async def on_startup(self, app: web.Application) -> None:
        """Says nothing: the command line does."""

    async def on_shutdown(self, app: web.Application) -> None:
        """A page that stays open must not keep the server: its console is ended."""
        for session in self._sessions:
            session.cancel()
        if self._sessions:
            await asyncio.wait(self._sessions, timeout=ENDING_SECONDS)

    async def handle_index(self, request: web.Request) -> web.Response:
        """The page of textual-serve, with a title, and with the keyboard in its terminal."""
        page = await super().handle_index(request)
        assert isinstance(page, web.Response), "it is made of a template"
        assert page.text is not None, "a page has a text"
        page.text = page.text.replace("</head>", _HEAD, 1).replace("</body>", _FOCUS, 1)
        return page

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """One tab, from its opening to its end."""
        task = asyncio.current_task()
        assert task is not None, "a request is handled in a task"
        self._sessions.add(task)
        websocket = web.WebSocketResponse(heartbeat=15)

        async def close() -> None:
            await websocket.close()

        session = _Session(
            self.command,
            write_bytes=websocket.send_bytes,
            write_str=websocket.send_str,
            close=close,
            download_manager=self.download_manager,
        )
        try:
            await websocket.prepare(request)
            await session.start(*(to_int(request.query.get(name, ""), 80) for name in ("width", "height")))
            await self._process_messages(websocket, session)
        except (AssertionError, AttributeError, LookupError, TypeError, ValueError):
            # A page of ours says nothing of the kind.
            await websocket.close(code=WSCloseCode.POLICY_VIOLATION)
        finally:
            await session.end()
            self._sessions.discard(task)
        return websocket

    # Who may come in

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        refusal = self._refusal(request)
        if refusal is not None:
            return _secured(refusal)
        given = request.query.get("token")
        if given is not None and _is_same(given, self._token):
            entered = web.Response(status=303, headers={"Location": "/"})
            entered.set_cookie(self._cookie_name, self._cookie, httponly=True, samesite="Strict", path="/")
            return _secured(entered)
        if not _is_same(request.cookies.get(self._cookie_name, ""), self._cookie):
            return _secured(_told(401, "Open the address that `stratodeck web` has printed: it has the token in it."))
        if self.sessions >= self.sessions_max and request.path in ("/", "/ws"):
            return _secured(_told(503, f"{self.sessions_max} tabs are open, which is the most. Close one of them."))
        if request.path == "/ws":
            return await handler(request)
        return _secured(await handler(request))

    def _refusal(self, request: web.Request) -> web.Response | None:
        """Of what does not come from a page of ours, whatever secret it has."""
        if request.method != "GET":
            return _told(405, "There is nothing to be changed here.")
        if request.headers.get("Host") != f"{HOST}:{self.port}":
            return _told(421, f"This is {self.address}, and answers to no other name.")
        if request.path == "/ws" and request.headers.get("Origin") != self.address:
            return _told(403, "A session is opened by a page of this address, and by no other.")
        return None


def _is_same(given: str, wanted: str) -> bool:
    """In the same time, however much of it is right."""
    return hmac.compare_digest(given.encode(errors="replace"), wanted.encode())


def _told(status: int, sentence: str) -> web.Response:
    return web.Response(status=status, text=sentence + "\n")


def _secured(answer: web.StreamResponse) -> web.StreamResponse:
    """Nothing of it is kept, framed, told to others, or loaded from elsewhere."""
    if not answer.prepared:
        answer.headers.update(
            {
                "Cache-Control": "no-store",
                "Content-Security-Policy": (
                    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
                    "img-src 'self' data:; frame-ancestors 'none'"
                ),
                "Referrer-Policy": "no-referrer",
                "X-Content-Type-Options": "nosniff",
            }
        )
    return answer


def bind(port: int) -> socket.socket:
    """A socket on the loopback; 0 is a free port. Raises OSError."""
    return socket.create_server((HOST, port))


@asynccontextmanager
async def serving(console: WebConsole, bound: socket.socket) -> AsyncIterator[None]:
    """Answering, until the block ends."""
    runner = web.AppRunner(await console.app(), access_log=None, shutdown_timeout=ENDING_SECONDS)
    await runner.setup()
    try:
        await web.SockSite(runner, bound).start()
        yield
    finally:
        await runner.cleanup()


async def serve(console: WebConsole, bound: socket.socket, *, on_answering: Callable[[], None]) -> None:
    """Until SIGTERM or Ctrl-C."""
    import signal

    wants_end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, wants_end.set)
    async with serving(console, bound):
        on_answering()
        await wants_end.wait()
