"""One verb of several objects: whom it stops and shrinks over all, in which order, and which number is typed."""

from console.presentation import together
from console.presentation.lines import text_of
from console.records import PlanRecord, ResizedRecord
from console.screens.dialogs import _is_meant
from tests.console.examples import a_frame

SILENT = (("web-05", "its cell is silent"), ("web-09", "it is stopped"), ("web-06", "its cell is silent"))


def a_plan(name: str, *, shrinks: tuple[str, ...] = (), grows: tuple[str, ...] = ()) -> PlanRecord:
    return PlanRecord(
        "stop",
        name,
        shrinks=tuple(ResizedRecord(each, each) for each in shrinks),
        grows=tuple(ResizedRecord(each, each) for each in grows),
    )


def test_whom_several_plans_speak_of_is_counted_once_over_all() -> None:
    plans = {"a": a_plan("a", grows=("r1", "r2")), "b": a_plan("b", grows=("r2",), shrinks=("r3",))}

    text = "\n".join(map(text_of, together.lines("server", plans, 1_105, SILENT, a_frame(80, 24))))

    assert "1,105 servers, 3 off" in text
    assert "OFF         2: web-05, web-06: its cell is silent" in text
    assert "OFF         1: web-09: it is stopped" in text
    assert "GROWS       2: r1, r2" in text
    assert "SHRINKS     1: r3" in text
    assert "STOPS       nobody" in text
    assert "by the first 2, each alone; 1,103 more were not looked at" in text


def test_only_the_first_few_are_told_at_length() -> None:
    plans = {str(number): a_plan(str(number)) for number in range(12)}

    assert [key for key, _ in together.first(plans)] == ["0", "1", "2", "3", "4"]
    assert text_of(together.rest(plans)[0]) == "and 7 more, counted above"


def test_a_number_is_typed_with_its_commas_or_without() -> None:
    assert _is_meant("1105", "1,105")
    assert _is_meant("1,105", "1,105")
    assert not _is_meant("11,05", "1,105")
    assert not _is_meant("web01", "web,01")
