"""``sluice route`` beside a running gateway: what it says is what the next call does."""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.integration.places import Place, add_places, mark, places_asked, secret_of
from tests.stack import Stack
from tests.stack.of_module import stack_of_module
from tests.stack.stack import KEY

MESSAGES: list[Any] = [{"role": "user", "content": "Hello"}]
BREAKER_FAILURES = 5


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    with stack_of_module(sqlite_template) as running:
        yield running


@pytest.fixture(autouse=True)
def _sound(stack: Stack) -> None:
    stack.simulator.reset()


def sluice(stack: Stack, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    ours = {"PATH": os.environ["PATH"], **stack.environment, **environment}
    return subprocess.run(
        [sys.executable, "-c", "from gateway.cli import main; main()", "route", *arguments],
        env=ours,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def route(stack: Stack, model: str, *arguments: str, **environment: str) -> dict[str, Any]:
    """What the command says to programs, of the stack's own key."""
    given = arguments if "--key" in arguments else ("--key", "key", *arguments)
    done = sluice(stack, model, *given, "--json", **environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def options(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {f"{it['backend']}/{it['provider_key']}": it for it in found["told"]["options"]}


def named(found: dict[str, Any]) -> str:
    """The one place that the command is sure of."""
    [place] = [name for name, it in options(found).items() if it["share"] == 1]
    return place


def code(found: dict[str, Any]) -> str | None:
    refusal = found["told"]["refusal"]
    return None if refusal is None else refusal["code"]


def ask(stack: Stack, model: str, **fields: Any) -> tuple[int, str]:  # noqa: ANN401
    """A real call: its status, and where it ended up."""
    since = mark(stack)
    body = {"model": model, "messages": MESSAGES, **fields}
    with stack.http() as http:
        status = http.post("/v1/chat/completions", json=body).status_code
    *_, (place, key) = places_asked(stack, since) or [("", "")]
    return status, f"{place}/{key}"


def test_turns_are_told_as_shares(stack: Stack) -> None:
    add_places(stack, "shared", [Place("shared-a", 3), Place("shared-b", 1, ("k", "l"))])
    found = route(stack, "shared")
    shares = {name: it["share"] for name, it in options(found).items()}
    assert shares == {"shared-a/k": 0.75, "shared-b/k": 0.125, "shared-b/l": 0.125}
    assert code(found) is None
    assert ask(stack, "shared")[1] in shares


def test_an_open_breaker_is_told_and_the_call_goes_where_it_says(stack: Stack) -> None:
    add_places(stack, "breaking", [Place("broken", 9), Place("sound", 1)])
    add_places(stack, "alone", [Place("broken")])  # nothing else is asked after its first failures
    stack.simulator.fault("refuse", path="/broken/*")
    for _ in range(BREAKER_FAILURES // 2 + 1):  # each tries twice
        assert ask(stack, "alone")[0] == 502
    found = route(stack, "breaking")
    problem = options(found)["broken/k"]["problem"]
    assert problem is not None
    assert "breaker of the backend" in problem
    assert (named(found), found["told"]["is_health_known"]) == ("sound/k", True)
    assert ask(stack, "breaking") == (200, "sound/k")


def test_a_key_that_cools_down_is_told_and_the_call_takes_the_other(stack: Stack) -> None:
    add_places(stack, "limited", [Place("limits", keys=("one", "two"))])
    stack.simulator.fault("e429-ra30", key=secret_of("limits", "one"))
    for _ in range(2):  # both keys have their turn
        assert ask(stack, "limited")[0] == 200
    found = route(stack, "limited")
    problem = options(found)["limits/one"]["problem"]
    assert problem is not None
    assert problem.startswith("the key cools down for ")
    assert named(found) == "limits/two"
    assert ask(stack, "limited") == (200, "limits/two")


def test_with_nothing_left_it_says_what_the_call_is_refused_with(stack: Stack) -> None:
    add_places(stack, "gone", [Place("gone-place")])
    stack.simulator.fault("e429-ra30", path="/gone-place/*")
    ask(stack, "gone")
    assert code(route(stack, "gone")) == "no_backend_available"
    assert ask(stack, "gone")[0] == 503


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_long_conversation_goes_to_the_place_that_is_named(
    stack: Stack, tmp_path: Path, dialect: str
) -> None:
    names = [f"long-{dialect}-{letter}" for letter in "abcd"]
    add_places(stack, f"long-{dialect}", [Place(name) for name in names])
    for number in range(4):
        body = {"messages": [{"role": "user", "content": f"{number} " + "word " * 1_200}]}
        file = tmp_path / "body.json"
        file.write_text(json.dumps(body))
        model = f"long-{dialect}"
        found = route(stack, model, "--prompt", f"@{file}", "--dialect", dialect)
        assert found["told"]["is_sticky"]
        assert _place_by_dialect(stack, model, dialect, body) == named(found)


def _place_by_dialect(stack: Stack, model: str, dialect: str, body: dict[str, Any]) -> str:
    since = mark(stack)
    path = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}[dialect]
    with stack.http() as http:
        answer = http.post(path, json={"model": model, "max_tokens": 10, **body})
    assert answer.status_code == 200
    [(place, key)] = places_asked(stack, since)
    return f"{place}/{key}"


def test_nothing_is_held_counted_or_sent(stack: Stack) -> None:
    assert ask(stack, "chat")[0] == 200
    stack.wait_for(lambda: stack.open_holds() == 0)
    before, since = stack.available_nanos(), mark(stack)
    assert before is not None
    found = route(stack, "chat", "--max-tokens", "1000", "--stream")
    assert found["told"]["available_nanos"]["user"] == before
    assert (stack.available_nanos(), stack.open_holds(), mark(stack)) == (before, 0, since)


def test_the_hold_is_the_one_that_a_call_takes(stack: Stack) -> None:
    stack.add_model("held", upstream="sim-chat-gateheld")
    assert ask(stack, "chat")[0] == 200  # what is available is known from here on
    stack.wait_for(lambda: stack.open_holds() == 0)
    told = route(stack, "held", "--max-tokens", "1000")["told"]
    before = stack.available_nanos()
    body = {"model": "held", "messages": MESSAGES, "max_tokens": 1000}
    with ThreadPoolExecutor(1) as pool, stack.http() as http:
        asking = pool.submit(http.post, "/v1/chat/completions", json=body)
        stack.simulator.gate("held", waiting=1)
        during = stack.available_nanos()
        stack.simulator.open_gate("held")
        assert asking.result().status_code == 200
    assert before is not None
    assert during is not None
    assert before - during == told["hold"]["total_nanos"]


def test_refusals_have_the_codes_that_the_api_answers(stack: Stack) -> None:
    policy = {"name": "narrow", "models": ["embed"]}
    keys = [
        {"name": "narrow", "key": "llm-narrow-" + "0" * 40},
        {"name": "off", "key": "llm-off-" + "0" * 40, "enabled": False},
    ]
    user = {"email": "narrow@example.com", "policy": "narrow", "limit_usd": "1", "keys": keys}
    stack.apply({"policies": [policy], "users": [user]})
    stack.add_model("unpriced", prices={})
    stack.add_model("nowhere", backends=[])
    assert code(route(stack, "chat", "--key", "narrow")) == "model_not_allowed"
    assert code(route(stack, "embed", "--key", "narrow")) is None
    assert code(route(stack, "embed", "--key", "off")) == "invalid_api_key"
    assert code(route(stack, "unpriced")) == "model_not_sellable"
    assert code(route(stack, "nowhere")) == "no_backend_available"
    unknown = route(stack, "chatt")
    assert (code(unknown), unknown["told"]["near_names"][0]) == ("model_not_found", "chat")


def test_what_is_disabled_is_told(stack: Stack) -> None:
    add_places(stack, "half", [Place("half-on"), Place("half-off")])
    provider = {"code": "half-off", "backends": [{"slug": "half-off", "enabled": False}]}
    stack.apply({"providers": [provider]})
    found = route(stack, "half")
    assert named(found) == "half-on/k"
    [left] = found["left_out"]
    assert (left["backend"], left["reason"]) == ("half-off", "the backend is disabled")
    stack.apply({"policies": [{"name": "default", "region": "mars", "region_strict": True}]})
    reasons = [left["reason"] for left in route(stack, "half")["left_out"]]
    stack.apply({"policies": [{"name": "default", "region": None, "region_strict": False}]})
    assert reasons[0] == "it is in no region, and only mars may answer"
    stack.add_model("hidden", enabled=False)
    assert route(stack, "hidden")["is_disabled"]


def test_without_redis_health_is_unknown(stack: Stack) -> None:
    found = route(stack, "chat", SLUICE_REDIS_URL="redis://127.0.0.1:1/0")
    assert (found["told"]["is_health_known"], code(found)) == (False, None)
    text = sluice(stack, "chat", "--key", "key", SLUICE_REDIS_URL="redis://127.0.0.1:1/0")
    assert "health is unknown" in text.stdout


def test_people_read_where_it_goes_and_what_it_costs(stack: Stack) -> None:
    done = sluice(stack, "chat", "--key", KEY, "--max-tokens", "100")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Goes to sim with the key k.\n")
    assert "Holds at most 0.00" in done.stdout
    assert "prompt tokens (estimated) x 1.00 + 100 output tokens x 10.00" in done.stdout


def test_no_secret_is_shown(stack: Stack) -> None:
    for arguments in (("--key", "key"), ("--key", KEY, "--json")):
        done = sluice(stack, "chat", *arguments)
        assert done.returncode == 0
        assert "sk-upstream-secret" not in done.stdout
        assert KEY not in done.stdout


def test_a_key_that_nobody_has_is_one_line(stack: Stack) -> None:
    done = sluice(stack, "chat", "--key", "nobody")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "sluice: there is no API key 'nobody'\n"
