"""How far an accepted work is, by time, fault and what was done to it."""

import pytest

from tests.upstream.faults import parse_spec, spoken_spec
from tests.upstream.works import Order, Standing, Work, Works, WorkState, summarize

QUEUED, RUNNING, DONE = WorkState.QUEUED, WorkState.IN_PROGRESS, WorkState.COMPLETED
FAILED = WorkState.FAILED


def accept(works: Works, spec: str, wanted: str = "w1", units: float = 2) -> Work:
    order = Order("video.generation", wanted, "a cat", units, takes_ms=1_000_000)
    return works.accept(order, "m", "sk", parse_spec(spec))


def age(work: Work, percent: float) -> None:
    work.started_at -= work.takes_ms * percent / 100_000


@pytest.mark.parametrize(
    ("spec", "percent", "expected"),
    [
        ("n1", 0, (QUEUED, 0)),
        ("n1", 19, (QUEUED, 0)),
        ("n1", 42.5, (RUNNING, 42)),
        ("n1", 101, (DONE, 100)),
        ("work0", 0, (DONE, 100)),
        ("stuck", 30.5, (RUNNING, 30)),
        ("stuck", 1000, (RUNNING, 50)),
        ("fail40", 30.5, (RUNNING, 30)),
        ("fail40", 60, (FAILED, 40)),
        ("fail0", 0, (FAILED, 0)),
        ("gateg.finish", 1000, (RUNNING, 99)),
    ],
)
def test_standing(spec: str, percent: float, expected: tuple[WorkState, int]) -> None:
    works = Works()
    work = accept(works, spec)
    age(work, percent)
    assert works.standing(work) == Standing(*expected)


def test_a_gate_ends_a_work() -> None:
    works = Works()
    work = accept(works, "gateg.finish-work0")
    assert works.standing(work).state is RUNNING
    works.gates.get("g").open(None)
    assert works.standing(work).state is DONE
    assert work.finished_at is not None


def test_what_is_ended_stays_so() -> None:
    works = Works()
    work = accept(works, "n1")
    age(work, 50.5)
    works.end(work, WorkState.CANCELLED)
    age(work, 100)
    assert works.standing(work) == Standing(WorkState.CANCELLED, 50)


def test_a_work_that_awaits_input_begins_when_it_has_it() -> None:
    works = Works()
    order = Order("midjourney.inpaint", "1", takes_ms=1_000_000, awaits_input=True)
    work = works.accept(order, "m", "sk")
    age(work, 1000)
    assert works.standing(work) == Standing(WorkState.AWAITING_INPUT, 0)
    works.confirm(work)
    assert works.standing(work).state is QUEUED


def test_a_lost_work_is_listed_but_not_found() -> None:
    works = Works()
    accept(works, "lost")
    assert works.find("w1") is None
    assert works.poll("w1") is None
    (snapshot,) = works.snapshots()
    assert (snapshot["lost"], snapshot["polls"]) == (True, 1)


def test_summary_and_choice() -> None:
    works = Works()
    accept(works, "work0", "a")
    accept(works, "fail0", "b", 3)
    assert [work["id"] for work in works.snapshots(state="failed")] == ["b"]
    assert summarize(works.snapshots()) == {
        "video.generation": {
            "works": 2,
            "units": 5,
            "submits": 2,
            "states": {"completed": 1, "failed": 1},
        }
    }
    works.clear()
    assert list(works.snapshots()) == []


@pytest.mark.parametrize(
    ("prompt", "spec"),
    [
        ("a cat --sim:stuck-work5", "stuck-work5"),
        ("a cat --sim:stuck --ar 1:1", ""),
        ("--sim:lost", "lost"),
        ("a cat", ""),
        ("", ""),
    ],
)
def test_suffixes_may_be_the_last_word_of_a_prompt(prompt: str, spec: str) -> None:
    assert spoken_spec(prompt) == spec
