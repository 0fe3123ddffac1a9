"""Streams that break off and that nobody can go on with: an error event, an honest bill."""

import json
from collections.abc import Generator
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from gateway.cache import keys
from tests.faults.heard import Answer
from tests.faults.resilience import DIALECTS, FORMS, HELLO, PAIRS, Scene, Up, assert_sound, pair
from tests.faults.visits import INPUT_NANOS, OUTPUT_NANOS, wait_until_gateway_hung_up
from tests.stack import Stack
from tests.stack.of_module import stack_of_module
from tests.stack.raw_client import RawClient

PACED = "n9-d15"
CONTINUES = {"prefix": "message"}
INTERRUPTED = "upstream_interrupted"
NOT_RESCUED = {"rescue": "none"}
PROMPT_TOKENS = ceil(len(json.dumps(HELLO, separators=(",", ":"))) / 4)
TOOLS: dict[str, list[Any]] = {
    "openai": [{"type": "function", "function": {"name": "look", "parameters": {}}}],
    "anthropic": [{"name": "look", "input_schema": {"type": "object"}}],
}
for tool in TOOLS["openai"]:
    tool["function"]["parameters"] = {"type": "object", "properties": {"at": {"type": "string"}}}
TOOLS["anthropic"][0]["input_schema"]["properties"] = {"at": {"type": "string"}}


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    with stack_of_module(sqlite_template) as running:
        yield running
        assert_sound(running)


def assert_interrupted(
    scene: Scene, answer: Answer, counts: list[int], outcomes: list[str], text: str | None = None
) -> None:
    """What was delivered has been paid by estimate, and the caller knows that it is not all."""
    assert answer.status == 200
    answer.assert_broken_off()
    assert answer.text
    assert scene.text(0).startswith(answer.text)
    assert len(answer.text) < len(scene.text(0))
    assert text in {None, answer.text}
    assert scene.counts() == counts
    books = scene.books(answer)
    record = books.record
    assert (record.status, record.error_code) == ("interrupted", "upstream_interrupted")
    assert books.outcomes == outcomes
    output = ceil(len(answer.text) / 4)
    assert record.charge_nanos == PROMPT_TOKENS * INPUT_NANOS + output * OUTPUT_NANOS
    assert (books.entry.kind, books.entry.basis) == ("charge", "estimated")


@pytest.mark.parametrize(("dialect", "protocol"), PAIRS)
@pytest.mark.parametrize(
    ("faults", "outcome"),
    [
        ("k6", INTERRUPTED),
        ("c6", INTERRUPTED),
        ("q6", "upstream_timeout"),
        ("err6", "upstream_error"),
        ("midfinish6", INTERRUPTED),
        ("midfinish", INTERRUPTED),
    ],
)
def test_a_stream_that_breaks_off_never_looks_complete(
    stack: Stack, faults: str, outcome: str, dialect: str, protocol: str
) -> None:
    first = Up(f"{PACED}-{faults}", protocol, capabilities=NOT_RESCUED)
    scene = Scene(stack, first, Up("n9", protocol, capabilities=NOT_RESCUED))
    answer = scene.ask(dialect, stream=True)
    if faults == "midfinish":
        answer.assert_broken_off()
        assert answer.text == scene.text(0)
        assert scene.books(answer).record.status == "interrupted"
        assert scene.counts() == [1, 0]
        return
    assert_interrupted(scene, answer, [1, 0], [outcome])


@pytest.mark.parametrize(("dialect", "protocol"), PAIRS)
@pytest.mark.parametrize("form", FORMS)
def test_who_refuses_to_continue_and_may_not_align_ends_it(
    stack: Stack, form: str, dialect: str, protocol: str
) -> None:
    second = Up("n9-noprefix", protocol, capabilities=CONTINUES)
    scene = pair(stack, form, Up(f"{PACED}-k6", protocol), second)
    answer = scene.ask(dialect, stream=True)
    # As primary the first one is able to continue too, but it broke off.
    assert_interrupted(scene, answer, [1, 1], [INTERRUPTED, "upstream_rejected"])
    assert b"assistant" not in answer.raw.split(b'"error"')[-1]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_another_model_does_not_align_unasked(stack: Stack, dialect: str) -> None:
    second = Up("n9", capabilities={"prefix": "none"})
    scene = Scene(stack, Up(f"{PACED}-k6", capabilities=NOT_RESCUED), other=second)
    answer = scene.ask(dialect, stream=True, temperature=0)
    assert_interrupted(scene, answer, [1, 0], [INTERRUPTED])


@pytest.mark.parametrize(("dialect", "protocol"), PAIRS)
@pytest.mark.parametrize("faults", ["n9-s8", "n2"])
def test_a_different_text_is_not_joined_and_blames_nobody(
    stack: Stack, faults: str, dialect: str, protocol: str
) -> None:
    second = Up(faults, protocol, capabilities={"rescue": "align"})
    scene = Scene(stack, Up(f"{PACED}-k7", protocol), second)
    answer = scene.ask(dialect, stream=True)
    assert_interrupted(scene, answer, [1, 1], [INTERRUPTED, INTERRUPTED])
    first, other = [attempt.backend_id for attempt in scene.books(answer).attempts]
    with stack.redis.client() as client:
        health = {name.decode() for name in client.hkeys(f"{keys.PREFIX}health")}
    assert f"f:{first}" in health
    assert f"f:{other}" not in health


@pytest.mark.parametrize(("dialect", "protocol"), PAIRS)
def test_tool_calls_that_were_delivered_cannot_be_taken_back(
    stack: Stack, dialect: str, protocol: str
) -> None:
    scene = Scene(
        stack, Up(f"n9-d15-k{4 if protocol == 'openai' else 5}", protocol), Up("n9", protocol)
    )
    messages = [{"role": "user", "content": "call:look"}]
    answer = scene.ask(dialect, stream=True, messages=messages, tools=TOOLS[dialect], temperature=0)
    answer.assert_broken_off()
    assert b'"look"' in answer.raw
    assert scene.counts() == [1, 0]
    books = scene.books(answer)
    assert (books.record.status, books.outcomes) == ("interrupted", [INTERRUPTED])
    assert books.record.charge_nanos > 0


@pytest.mark.parametrize("dialect", DIALECTS)
def test_when_all_break_off_the_last_word_is_an_error(stack: Stack, dialect: str) -> None:
    scene = Scene(stack, *[Up("n30-d15-k5", capabilities=CONTINUES)] * 4)
    answer = scene.ask(dialect, stream=True)
    assert scene.counts()[3] == 0, "no more than three attempts"
    answer.assert_broken_off()
    assert scene.text(0).startswith(answer.text)
    assert scene.books(answer).outcomes == [INTERRUPTED] * 3


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_rescue_that_hangs_does_not_keep_the_caller(stack: Stack, dialect: str) -> None:
    scene = Scene(stack, Up(f"{PACED}-k6"), Up("n9-hang", capabilities=CONTINUES))
    answer = scene.ask(dialect, stream=True)
    assert_interrupted(scene, answer, [1, 1], [INTERRUPTED, "upstream_timeout"])
    assert answer.seconds < 2


def test_several_choices_are_not_gone_on_with(stack: Stack) -> None:
    scene = Scene(stack, Up(f"{PACED}-k8"), Up("n9", capabilities=CONTINUES))
    answer = scene.ask(stream=True, n=2)
    answer.assert_broken_off()
    assert scene.counts() == [1, 0]
    assert scene.books(answer).record.status == "interrupted"


@pytest.mark.parametrize("policy", ["cancel", "drain"])
@pytest.mark.parametrize("faults", ["GATE", "GATE.0", "noprefix-GATE.0"])
def test_a_caller_who_leaves_during_a_rescue_pays_what_he_got(
    stack: Stack, faults: str, policy: str
) -> None:
    gate = f"rescue{policy}{['GATE', 'GATE.0'].index(faults) if faults[0] == 'G' else 2}"
    second = Up(f"n9-{faults.replace('GATE', 'gate' + gate)}", capabilities=CONTINUES)
    scene = Scene(stack, Up(f"{PACED}-k6"), second, disconnect_policy=policy)
    body = scene.body("openai", stream=True, temperature=0)
    with RawClient(stack.apis[0].port) as client:
        client.post("/v1/chat/completions", json.dumps(body).encode(), agent=scene.name)
        stack.simulator.gate(gate, waiting=1)
        client.read_until(b"tok00001")
        stack.wait_for(lambda: client_got(client, scene))
        text = client.text
        client.leave("rst")
        wait_until_gateway_hung_up(stack, client.port)
    stack.wait_for(lambda: bool(find_record(stack, scene)))
    record = find_record(stack, scene)
    assert (record.status, record.http_status) == ("cancelled", 499)
    output = ceil(len(text) / 4)
    prompt = ceil(len(json.dumps(HELLO)) / 4)
    assert record.charge_nanos == prompt * INPUT_NANOS + output * OUTPUT_NANOS
    assert scene.asked(1)[-1]["client_gone"]
    stack.simulator.open_gate(gate)


def client_got(client: RawClient, scene: Scene) -> bool:
    """Everything that the first upstream has delivered."""
    written = scene.stack.simulator.journal(model=scene.upstreams[0])[0]["content_pieces_written"]
    last = f"tok{written - 1:05d}".encode()
    client.read_until(last)
    client.read_until(b"\n\n\r\n")
    return True


def find_record(stack: Stack, scene: Scene) -> Any:  # noqa: ANN401
    stack.drain()
    return next((record for record in stack.requests() if record.user_agent == scene.name), None)
