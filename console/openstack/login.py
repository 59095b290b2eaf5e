"""Who one is at an OpenStack: a cloud of `clouds.yaml`, and tokens for it.

openstacksdk reads the file and keystoneauth authenticates, as they do for every other client, so whatever is written
there works. Both wait for answers, so both run in threads; the requests that matter are made elsewhere, with httpx.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from console.port import ClientError
from console.sanitising import sanitise

if TYPE_CHECKING:
    import ssl

ANSWER_SECONDS = 15.0
MISSING = (
    "--os-cloud needs the OpenStack client libraries, which are not installed: pip install 'stratodeck[openstack]' "
    "installs them."
)


class CloudProblem(Exception):
    """A cloud of `clouds.yaml` cannot be opened. `str()` is a sentence."""


class Access(NamedTuple):
    """What requests are made with, until the token expires."""

    token: str
    compute_url: str
    """Of the Compute API, with its version, without a slash at its end."""
    image_url: str | None = None
    user: str = ""
    project: str = ""
    project_id: str | None = None


class Login(Protocol):
    """Where access comes from."""

    name: str
    """What the cloud is called in the file."""
    place: str
    """What tells one cloud from another: the address of its identity service, the region and the project."""

    async def access(self, *, refused: str | None = None) -> Access:
        """Access that is not known to have expired. A token that was `refused` is not given again.

        Raises ClientError.
        """

    def try_again(self) -> None:
        """Credentials that were refused may be tried again: somebody asked for it."""


class KeystoneLogin:
    """A login by `clouds.yaml`."""

    def __init__(self, region: Any) -> None:
        """`region` is openstacksdk's `CloudRegion`."""
        self._region = region
        self._session = region.get_session()
        self._lock = asyncio.Lock()
        self._access: Access | None = None
        self._refusal: ClientError | None = None
        self.name = sanitise(str(region.name))
        auth = region.config.get("auth") or {}
        project = auth.get("project_id") or auth.get("project_name") or auth.get("system_scope") or ""
        self.place = "|".join(
            sanitise(str(part)) for part in (auth.get("auth_url", ""), region.region_name or "", project)
        )

    def verify(self) -> ssl.SSLContext | bool:
        """What httpx is to trust: as the file says (`verify`, `cacert`, `cert`, `key`)."""
        import ssl

        verify, cert = self._region.get_requests_verify_args()
        if verify is False:
            return False
        try:
            context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
            if cert:
                context.load_cert_chain(*((cert,) if isinstance(cert, str) else cert))
        except (OSError, ssl.SSLError) as error:
            raise CloudProblem(f"The certificates of {self.name} cannot be read: {sanitise(str(error))}.") from error
        return context

    async def access(self, *, refused: str | None = None) -> Access:
        async with self._lock:
            held = self._access
            if held is not None and held.token != refused:
                return held
            if self._refusal is not None:
                # Who goes on trying with a wrong password is locked out.
                raise self._refusal
            try:
                self._access = await _apart(lambda: self._authenticate(is_refused=refused is not None))
            except ClientError as error:
                self._refusal = error if error.code == "unauthorized" else None
                raise
            return self._access

    def try_again(self) -> None:
        self._refusal = None

    def _authenticate(self, *, is_refused: bool) -> Access:
        from keystoneauth1 import exceptions

        try:
            session = self._session
            if is_refused:
                session.invalidate()
            token = session.get_token()
            compute = self._endpoint("compute")
            if token is None or compute is None:
                raise ClientError(f"{self.name} names no compute service to this project", "no_compute", False)
            return Access(
                token,
                compute.rstrip("/"),
                self._endpoint("image"),
                sanitise(str(self._region.config.get("auth", {}).get("username") or session.get_user_id() or "")),
                sanitise(str(self._region.config.get("auth", {}).get("project_name") or "")),
                session.get_project_id(),
            )
        except (exceptions.ConnectFailure, exceptions.DiscoveryFailure) as error:
            sentence = f"the identity service of {self.name} does not answer"
            raise ClientError(sentence, "no_answer", True) from error
        except exceptions.Unauthorized as error:
            sentence = f"the identity service refuses the credentials of {self.name}"
            raise ClientError(sentence, "unauthorized", False) from error
        except exceptions.ClientException as error:
            raise ClientError(f"{self.name} cannot be opened: {_first_line(error)}", "login", False) from error

    def _endpoint(self, service: str) -> str | None:
        """Where a service is: what the file says for it, else the catalog."""
        from keystoneauth1 import exceptions

        region = self._region
        override = region.get_endpoint(service)
        if override:
            return str(override)
        try:
            found = self._session.get_endpoint(
                service_type=service,
                interface=region.get_interface(service),
                region_name=region.get_region_name(service),
            )
        except exceptions.CatalogException:
            return None
        return None if found is None else str(found)


async def _apart(work: Callable[[], Access]) -> Access:
    """The work's result, from a thread that nobody waits for: no key, and not the end of the program."""
    done: Future[Access] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            # Whatever it was, it is told to who waits for it.
            done.set_exception(error)

    threading.Thread(target=run, name="login", daemon=True).start()
    return await asyncio.wrap_future(done)


def login_of(name: str) -> KeystoneLogin:
    """The login of a cloud of `clouds.yaml`. Raises CloudProblem: no extra, no such cloud, or it cannot be read."""
    for library in ("keystoneauth", "openstack", "urllib3"):
        # What a library has to say is nothing to write over a screen.
        logging.getLogger(library).addHandler(logging.NullHandler())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from keystoneauth1 import exceptions as of_auth
            from openstack import exceptions
            from openstack.config import OpenStackConfig
        except ImportError as error:
            raise CloudProblem(MISSING) from error
        try:
            return KeystoneLogin(OpenStackConfig().get_one(cloud=name, api_timeout=ANSWER_SECONDS))
        except (exceptions.ConfigException, of_auth.ClientException) as error:
            raise CloudProblem(f"clouds.yaml: {_first_line(error)}") from error
        except (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError) as error:
            # The library takes for granted that every value is of the kind that it should be, and that the address of
            # a profile answers.
            raise CloudProblem(
                f"clouds.yaml: what is said of the cloud {sanitise(name)} cannot be used: {_first_line(error)}. "
                "It takes tables and texts, as openstacksdk describes them."
            ) from error


def _first_line(error: Exception) -> str:
    lines = sanitise(str(error)).strip().splitlines()
    return lines[0] if lines else type(error).__name__
