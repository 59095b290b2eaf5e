"""Several clouds in memory for one console: which there are, and what was opened of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from textual.pilot import Pilot

from console.app import ConsoleApp
from console.client import ClientError, CloudClient
from console.contexts import Context
from console.records import Hello
from console.screens.options import Opened
from tests.console.fakes import FakeCloud, ManualClock, some_servers
from tests.console.stories import app_of, type_line, until


@dataclass
class NamedCloud(FakeCloud):
    """A cloud with a name in all of its servers' names, and the same ids as every other one."""

    name: str = "lab"
    is_production: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.servers = [replace(each, name=f"{self.name}-{each.name}", sort_name="") for each in some_servers()]

    async def hello(self) -> Hello:
        found = await super().hello()
        return found._replace(is_production=self.is_production)


@dataclass
class FakeChoice:
    """Clouds by name; those in `far` would have to be started."""

    clouds: dict[str, NamedCloud]
    contexts: Sequence[Context]
    far: frozenset[str] = frozenset()
    opened: list[str] = field(default_factory=list)

    @property
    def first(self) -> Context:
        return self.contexts[0]

    def open(self, context: Context) -> Opened:
        self.opened.append(context.name)
        if context.name not in self.clouds:
            raise ClientError("nobody knows how", "not_offered", False)
        cloud = self.clouds[context.name]

        async def connect() -> CloudClient:
            if cloud.outage is not None:
                raise cloud.outage
            return cloud

        return Opened(connect)

    def is_near(self, context: Context) -> bool:
        return context.name not in self.far

    def manners(self, context: Context) -> dict[str, Any]:
        return {"is_read_only": context.is_read_only is True, "landing_view": context.landing_view or "overview"}


def a_context(name: str, **changes: Any) -> Context:
    return Context(name, "url", f"http://{name}.example", **changes)


def an_app_of(choice: FakeChoice, clock: ManualClock | None = None, **options: Any) -> ConsoleApp:
    """The console on the first of several clouds."""
    first = choice.first
    opened = choice.open(first)
    return ConsoleApp(
        opened.client_factory, clouds=choice, now=clock or ManualClock(), **choice.manners(first), **options
    )


def two_clouds(*, far: frozenset[str] = frozenset(), **changes: Any) -> FakeChoice:
    """A cloud of one's own, and another one with the given rules."""
    clouds = {"lab": NamedCloud(), "prod": NamedCloud(name="prod", is_production=bool(changes.get("is_production")))}
    return FakeChoice(clouds, (a_context("lab"), a_context("prod", **changes)), far)


def four_clouds() -> FakeChoice:
    """One's own; production, which is read-only; one that will fall silent; and one that was not started."""
    names = ("lab", "prod", "berlin", "archive")
    contexts = (
        a_context("lab", colour="green"),
        a_context("prod", is_production=True, is_read_only=True),
        a_context("berlin", colour="blue"),
        Context("archive", "data", "/srv/clouds/archive", colour="grey"),
    )
    clouds = {name: NamedCloud(name=name, is_production=name == "prod") for name in names}
    return FakeChoice(clouds, contexts, frozenset({"archive"}))


async def see_several(pilot: Pilot[Any], choice: FakeChoice, clock: ManualClock, *, is_list: bool) -> None:
    """Three of the four clouds listed, one of them silent for a while, and the dialog over them or not."""
    await until(pilot, "NEEDS ATTENTION")
    await type_line(pilot, ":servers @all /db")
    await pilot.press("enter")
    await until(pilot, "18 of 120")
    choice.clouds["berlin"].fall_silent()
    await until(pilot, "silent since")
    clock.advance(95)
    for name in ("lab", "prod"):
        # A list without changes is fresh for a while; this is longer.
        choice.clouds[name].push(choice.clouds[name].servers[0])
    main = app_of(pilot).main
    main.clouds.wake(main)
    await until(pilot, "age 1m35s", "age 0s")
    if is_list:
        await pilot.press("g", *"jjjjjjj")
    else:
        await pilot.press("C")
        await until(pilot, "go there", "1m35s")
