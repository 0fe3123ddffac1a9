"""Backends that stay down: left alone soon, probed rarely, used again when they are back."""

import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import pytest

from tests.faults.heard import Answer
from tests.faults.resilience import DIALECTS, QUICK_SECONDS, Scene, Up, assert_sound
from tests.stack import Stack
from tests.stack.of_module import stack_of_module
from tests.stack.stack import model_of

PROCESSES = 2
CLIENTS = 4
OPENS_AFTER = 5
OPEN_SECONDS = 5


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    with stack_of_module(sqlite_template, apis=PROCESSES) as running:
        yield running
        assert_sound(running)


class Traffic:
    """Clients of both processes that call one after the other until they are told to stop."""

    def __init__(self, scene: Scene, *, stream: bool) -> None:
        self.answers: list[tuple[float, Answer]] = []
        self._scene = scene
        self._stream = stream
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(n,)) for n in range(CLIENTS)]

    def _call(self, number: int) -> None:
        while not self._over.is_set():
            answer = self._scene.ask(stream=self._stream, api=number % PROCESSES)
            self.answers.append((time.time(), answer))
            time.sleep(0.05)

    def served_since(self, moment: float) -> list[Answer]:
        return [answer for when, answer in self.answers if when - answer.seconds > moment]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("faults", "stream"), [("e503", False), ("hang", True), ("k1", True)])
def test_after_a_few_failures_a_backend_is_left_alone(
    stack: Stack, faults: str, dialect: str, *, stream: bool
) -> None:
    scene = Scene(stack, Up(f"n5-{faults}"), Up("n5"), limits={"first_event_seconds": 0.2})
    answers = [scene.ask(dialect, stream=stream, api=n % PROCESSES) for n in range(12)]
    assert {answer.told().text for answer in answers} == {scene.text(1)}
    failed, served = scene.counts()
    assert (failed <= OPENS_AFTER, served) == (True, 12)
    assert answers[-1].headers["x-sluice-attempts"] == "1"


def test_a_backend_that_comes_back_is_found_by_single_probes(stack: Stack) -> None:
    limits = {"first_event_seconds": QUICK_SECONDS}
    scene = Scene(stack, Up("n5"), Up("n7"), limits=limits)
    down = scene.upstreams[0]
    with Traffic(scene, stream=True) as traffic:
        stack.wait_for(lambda: len(traffic.answers) > 8)
        assert {answer.told().text for _, answer in traffic.answers} == {scene.text(0)}
        broke = time.time()
        rule = stack.simulator.fault("hang", down)
        time.sleep(OPEN_SECONDS + 3 * QUICK_SECONDS)
        stack.simulator.http.delete("/__control/faults", params={"id": rule["id"]})
        mended = time.time()

        def is_back() -> bool:
            last = [answer.told().text for _, answer in traffic.answers[-2 * CLIENTS :]]
            return set(last) == {scene.text(0)}

        stack.wait_for(is_back, 12)
    assert {answer.status for _, answer in traffic.answers} == {200}
    requests = stack.simulator.journal(model=down)
    hung = [entry["started"] for entry in requests if broke < entry["started"] < mended]
    first = hung[0]
    opening = [moment for moment in hung if moment < first + 2 * QUICK_SECONDS]
    probes = [moment for moment in hung if moment >= first + 2 * QUICK_SECONDS]
    assert len(opening) <= 2 * OPENS_AFTER
    assert len(probes) == 1, "one for both processes"
    slow = [answer for answer in traffic.served_since(broke) if answer.seconds > QUICK_SECONDS]
    assert len(slow) <= len(hung), "nobody else waited"
    assert len(traffic.served_since(broke)) > 10 * len(slow)


@pytest.mark.parametrize(("dialect", "status"), [("openai", 503), ("anthropic", 529)])
def test_when_everything_is_left_alone_the_caller_learns_how_long(
    stack: Stack, dialect: str, status: int
) -> None:
    scene = Scene(stack, Up("n5-e503-ra9"))  # longer than anybody waits
    for _ in range(OPENS_AFTER):
        scene.assert_free(scene.ask(dialect), 502, "upstream_error")
    answer = scene.ask(dialect, api=1)
    assert answer.status == answer.error().status == status
    assert 1 <= float(answer.headers["retry-after"]) <= OPEN_SECONDS + 1
    assert scene.counts() == [OPENS_AFTER]


def test_one_probe_is_let_through_however_many_ask(stack: Stack) -> None:
    scene = Scene(stack, Up(f"n5-hangx{OPENS_AFTER}"), Up("n7"), limits={"first_byte_seconds": 0.2})
    for number in range(OPENS_AFTER + 3):
        scene.ask(api=number % PROCESSES)
    before = scene.counts()[0]
    assert before <= OPENS_AFTER
    time.sleep(OPEN_SECONDS)
    stack.simulator.fault("hang", scene.upstreams[0], times=50)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda n: scene.ask(api=n % PROCESSES), range(12)))
    assert {answer.told().text for answer in answers} == {scene.text(1)}
    assert scene.counts()[0] - before == 1


def test_a_model_that_a_backend_lacks_leaves_its_others_alone(stack: Stack) -> None:
    scene = Scene(stack, Up("n5-e404"), Up("n7"))
    for _ in range(3):
        assert scene.ask().told().text == scene.text(1)
    assert scene.counts() == [1, 3]
    link = {"backend": scene.slugs[0], "upstream_model": f"{scene.name}neighbour-n4"}
    neighbour = f"{scene.name}neighbour"
    stack.apply({"models": [model_of(neighbour, {"backends": [link]})]})
    with stack.http() as client:
        body = scene.body("openai", stream=False) | {"model": neighbour}
        assert client.post("/v1/chat/completions", json=body).status_code == 200


def test_health_is_kept_without_the_help_of_configuration(stack: Stack) -> None:
    """Importing a change of something else does not forget who is down."""
    scene = Scene(stack, Up("n5-e503"), Up("n7"))
    for _ in range(OPENS_AFTER + 1):
        scene.ask()
    before = scene.counts()[0]
    Scene(stack, Up("n3"))
    for api in range(PROCESSES):
        assert scene.ask(api=api).told().text == scene.text(1)
    assert scene.counts()[0] == before


def test_a_probe_that_speaks_need_not_have_ended(stack: Stack) -> None:
    """A model whose answers take minutes is back as soon as one of them has begun."""
    scene = Scene(stack, Up(f"n5-e503x{OPENS_AFTER}-ra9-gatelong.3"), limits={"idle_seconds": 20})
    for _ in range(OPENS_AFTER):
        assert scene.ask(stream=True).status == 502
    assert scene.ask(stream=True).status == 503
    time.sleep(OPEN_SECONDS)
    with ThreadPoolExecutor(2) as pool:
        probe = pool.submit(scene.ask, stream=True)
        stack.simulator.gate("long", waiting=1)
        second = pool.submit(scene.ask, stream=True, api=1)
        stack.simulator.gate("long", waiting=2)
        stack.simulator.open_gate("long")
        assert (probe.result().told().text, second.result().status) == (scene.text(0), 200)
