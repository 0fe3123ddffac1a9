"""A conversation whose beginning an upstream caches stays with one backend and key."""

from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.places import Place, add_places, mark, places_asked
from tests.stack import Stack
from tests.stack.of_module import stack_of_module

Json = dict[str, Any]
DIALECTS = ("openai", "anthropic")
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
LONG = "word " * 1_200  # more than 1024 tokens by the estimator
TURNS = 5
APIS = 2
BACK_SECONDS = 20


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    with stack_of_module(sqlite_template, apis=APIS) as running:
        yield running


@pytest.fixture(autouse=True)
def _sound(stack: Stack) -> None:
    stack.simulator.reset()


def opening(number: int, text: str = LONG) -> Json:
    return {"role": "user", "content": f"Conversation {number}. {text}"}


def ask(
    stack: Stack,
    model: str,
    messages: list[Json],
    dialect: str = "openai",
    api: int = 0,
    **fields: Any,  # noqa: ANN401 -- of the request
) -> str:
    """The text of the answer."""
    body = {"model": model, "max_tokens": 50, "messages": messages, **fields}
    with stack.http(api=api) as http:
        answer = http.post(PATHS[dialect], json=body)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["model"] == model
    text: str = (
        told["choices"][0]["message"]["content"]
        if dialect == "openai"
        else told["content"][0]["text"]
    )
    assert text
    return text


def asked(stack: Stack, model: str, messages: list[Json], **how: Any) -> tuple[str, str]:  # noqa: ANN401
    """The backend and key that one call went to."""
    since = mark(stack)
    ask(stack, model, messages, **how)
    [place] = places_asked(stack, since)
    return place


def converse(stack: Stack, model: str, messages: list[Json], **how: Any) -> set[tuple[str, str]]:  # noqa: ANN401
    """Where the turns of one conversation went, which takes the two processes in turn."""
    since = mark(stack)
    for turn in range(TURNS):
        text = ask(stack, model, messages, api=turn % APIS, **how)
        messages = [
            *messages,
            {"role": "assistant", "content": text},
            {"role": "user", "content": f"And what of {turn}?"},
        ]
    places = places_asked(stack, since)
    assert len(places) == TURNS
    return set(places)


def places(name: str, protocol: str = "openai", letters: str = "abc") -> list[Place]:
    return [Place(f"{name}-{letter}", keys=("k", "l"), protocol=protocol) for letter in letters]


@pytest.mark.parametrize("protocol", DIALECTS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_long_conversation_stays_over_turns_and_processes(
    stack: Stack, dialect: str, protocol: str
) -> None:
    model = f"stay-{dialect}-{protocol}"
    add_places(stack, model, places(model, protocol))
    for number in range(4):
        assert len(converse(stack, model, [opening(number)], dialect=dialect)) == 1


def test_a_conversation_streams_where_it_answered_plainly(stack: Stack) -> None:
    add_places(stack, "streams", places("streams"))
    for number in range(3):
        since = mark(stack)
        ask(stack, "streams", [opening(number)])
        body = {"model": "streams", "messages": [opening(number)], "stream": True}
        with stack.http(api=1) as http:
            assert http.post(PATHS["openai"], json=body).text.endswith("data: [DONE]\n\n")
        assert len(set(places_asked(stack, since))) == 1


def test_a_short_prompt_that_says_it_is_cached_stays_too(stack: Stack) -> None:
    add_places(stack, "marked", places("marked"))
    cached = {"type": "text", "text": "Short.", "cache_control": {"type": "ephemeral"}}
    for number in range(3):
        messages: list[Json] = [{"role": "user", "content": f"Number {number}"}]
        told = {"system": [{**cached, "text": f"Short {number}."}]}
        assert len(converse(stack, "marked", messages, dialect="anthropic", **told)) == 1
        keyed = {"prompt_cache_key": f"conversation-{number}"}
        assert len(converse(stack, "marked", messages, **keyed)) == 1


def test_different_conversations_are_spread_by_weight(stack: Stack) -> None:
    add_places(stack, "spread", [Place("spread-a", 3), Place("spread-b", 1, ("k", "l"))])
    conversations = 80
    since = mark(stack)
    for number in range(conversations):
        ask(stack, "spread", [opening(number)], api=number % APIS)
    counted = Counter(place for place, _ in places_asked(stack, since))
    # Four standard deviations around three of four.
    assert 44 <= counted["spread-a"] <= 76
    assert counted.total() == conversations


def test_a_conversation_moves_while_its_backend_is_ill_and_comes_back(stack: Stack) -> None:
    add_places(stack, "moves", places("moves"))
    messages = [opening(1)]
    home = asked(stack, "moves", messages)
    text = ask(stack, "moves", messages)
    stack.simulator.fault("e503", path=f"/{home[0]}/*")
    since = mark(stack)
    for turn in range(2 * TURNS):
        assert ask(stack, "moves", messages, api=turn % APIS) == text
    answered = [place for place in places_asked(stack, since) if place[0] != home[0]]
    assert len(answered) == 2 * TURNS
    assert len(set(answered)) == 1  # together again, at the next by claim
    stack.simulator.clear_faults()
    stack.wait_for(lambda: asked(stack, "moves", messages) == home, BACK_SECONDS)
    stack.wait_for(lambda: asked(stack, "moves", messages, api=1) == home, BACK_SECONDS)
    assert converse(stack, "moves", messages) == {home}


def test_those_that_are_elsewhere_stay_there_meanwhile(stack: Stack) -> None:
    add_places(stack, "rest", places("rest"))
    homes = {number: asked(stack, "rest", [opening(number)]) for number in range(9)}
    ill = homes[0][0]
    stack.simulator.fault("e503", path=f"/{ill}/*")
    for number, home in homes.items():
        if home[0] != ill:
            assert asked(stack, "rest", [opening(number)], api=1) == home


def test_a_conversation_moves_when_its_key_is_limited(stack: Stack) -> None:
    add_places(stack, "keys", places("keys", letters="a"))
    messages = [opening(1)]
    place, key = asked(stack, "keys", messages)
    stack.simulator.fault("e429-ra2", key=f"sk-of-{place}-{key}", times=1)
    ask(stack, "keys", messages)
    assert asked(stack, "keys", messages)[1] != key
    stack.wait_for(lambda: asked(stack, "keys", messages) == (place, key), BACK_SECONDS)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_short_prompts_follow_the_weights(stack: Stack, dialect: str) -> None:
    model = f"short-{dialect}"
    add_places(stack, model, [Place(f"{model}-a", 3), Place(f"{model}-b", 1)])
    counted = Counter(
        asked(stack, model, [opening(1, "Short.")], dialect=dialect)[0] for _ in range(12)
    )
    assert counted == {f"{model}-a": 9, f"{model}-b": 3}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_model_can_do_without(stack: Stack, dialect: str) -> None:
    model = f"off-{dialect}"
    two = [Place(f"{model}-a", 3), Place(f"{model}-b", 1)]
    add_places(stack, model, two, capabilities={"affinity": False})
    counted = Counter(asked(stack, model, [opening(1)], dialect=dialect)[0] for _ in range(12))
    assert counted == {f"{model}-a": 9, f"{model}-b": 3}
