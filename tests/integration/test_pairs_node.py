"""The official packages for Node, unmodified, with upstreams of both protocols."""

import json
import os
import subprocess
from collections.abc import Generator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.integration.sdk_models import (
    ANSWER,
    TOOL_NAMES,
    add_caller,
    add_pairs,
    assert_charged,
    both,
    stack_of_pairs,
)
from tests.servers import node
from tests.stack import Stack
from tests.stack.stack import KEY

# The end of a turn, and of one that calls tools.
STOPS = {"openai": ("stop", "tool_calls"), "anthropic": ("end_turn", "tool_use")}
DESERTED = {"openai": 503, "anthropic": 529}
UPSTREAMS = {
    "chat": "sim-chat",
    "too-long": "sim-chat-ctx",
    # What one SDK did to the health of a backend must not decide what the other sees.
    **{f"limited-{sdk}": "sim-chat-e429-ra7" for sdk in STOPS},
    **{f"broken-{sdk}": "sim-chat-e500" for sdk in STOPS},
    # Thoughts that have to come back signed where the protocol has signatures.
    "thinker": "sim-chat-reasoning-sigcheck",
}
TIMEOUT_SECONDS = 60
# Case, the SDK's class, status, and the code in the dialect that has codes.
REFUSALS = {
    "invalid": ("BadRequestError", 400, None),
    "unauthenticated": ("AuthenticationError", 401, "invalid_api_key"),
    "denied": ("PermissionDeniedError", 403, "model_not_allowed"),
    "unknown": ("NotFoundError", 404, "model_not_found"),
    "limited": ("RateLimitError", 429, "rate_limit_exceeded"),
    "limitedThere": ("RateLimitError", 429, "upstream_rate_limited"),
    "tooLong": ("BadRequestError", 400, "context_length_exceeded"),
    "broken": ("InternalServerError", 502, "upstream_error"),
    "silent": ("InternalServerError", 504, "upstream_timeout"),
}


class Scripts:
    """Each script runs once for each protocol of upstreams; its answers are kept."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.ask = cache(self._run)

    def _run(self, sdk: str, protocol: str) -> dict[str, Any]:
        name = f"{sdk}-{protocol}"
        limit = {"rate_limit": 1, "rate_limit_window_seconds": 3600}
        variables = {
            "NODE_PATH": str(node.install() / "node_modules"),
            "BASE_URL": self.stack.url,
            "KEY": KEY,
            "LIMITED_KEY": add_caller(self.stack, f"limited-{name}", limit),
            "NARROW_KEY": add_caller(self.stack, f"narrow-{name}", {"models": ["nothing"]}),
            "PROTOCOL": protocol,
        }
        done = subprocess.run(
            [node.get_node(), node.SOURCES / f"{sdk}.cjs"],
            env={**os.environ, **variables},
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        assert (done.returncode, done.stderr.decode()) == (0, "")
        answers: dict[str, Any] = json.loads(done.stdout)
        return answers


@pytest.fixture(scope="module")
def scripts(sqlite_template: Path) -> Generator[Scripts]:
    with stack_of_pairs(sqlite_template, UPSTREAMS) as stack:
        silent = {f"silent-{sdk}": "sim-chat-hang" for sdk in STOPS}
        add_pairs(stack, silent, limits={"total_seconds": 0.5})
        breaking = {f"breaking-{sdk}": "sim-chat-n10-d15-k9" for sdk in STOPS}
        add_pairs(stack, breaking, capabilities={"rescue": "none"})
        for protocol in STOPS:
            stack.add_model(f"{protocol}-deserted", backends=[])
        yield Scripts(stack)


with_either_sdk = pytest.mark.parametrize("sdk", STOPS)


@with_either_sdk
@both
def test_an_answer_whole_and_streamed(scripts: Scripts, sdk: str, protocol: str) -> None:
    answers = scripts.ask(sdk, protocol)
    for answer in (answers["chat"], answers["stream"]):
        assert (answer["model"], answer["text"]) == (f"{protocol}-chat", ANSWER)
        assert answer["stopped"] == STOPS[sdk][0]
    assert answers["chat"] == answers["stream"]


@with_either_sdk
@both
def test_the_request_has_a_name_and_is_charged(scripts: Scripts, sdk: str, protocol: str) -> None:
    answers = scripts.ask(sdk, protocol)
    named = answers["headers"]
    assert named["id"] == named["reference"]
    tokens = {name: answers["chat"][name] for name in ("input", "output")}
    assert_charged(scripts.stack, named["reference"], **tokens)


@pytest.mark.parametrize("case", ["tools", "toolsStreamed", "thinking", "thinkingStreamed"])
@with_either_sdk
@both
def test_parallel_calls_go_out_and_their_results_come_back(
    scripts: Scripts, sdk: str, protocol: str, case: str
) -> None:
    answer = scripts.ask(sdk, protocol)[case]
    assert [name for name, _ in answer["calls"]] == list(TOOL_NAMES)
    assert {arguments for _, arguments in answer["calls"]} == {'{"city":"demo city","days":1}'}
    assert answer["stopped"] == [STOPS[sdk][1], STOPS[sdk][0]]
    assert "22 °C" in answer["text"]
    thinks = case.startswith("thinking")
    assert [thought.startswith("The user wrote") for thought in answer["thoughts"]] == [thinks] * 2


@with_either_sdk
@both
def test_the_sdk_runs_tools_by_itself(scripts: Scripts, sdk: str, protocol: str) -> None:
    said = scripts.ask(sdk, protocol)["runner"]
    assert said == 'The tool returned: "22 °C in demo city". Good.'


@with_either_sdk
@both
def test_an_image_is_looked_at(scripts: Scripts, sdk: str, protocol: str) -> None:
    answers = scripts.ask(sdk, protocol)
    assert answers["image"]["text"] == ANSWER
    assert answers["image"]["input"] == answers["chat"]["input"] + 85


@both
def test_tokens_are_counted(scripts: Scripts, protocol: str) -> None:
    answers = scripts.ask("anthropic", protocol)
    if protocol == "anthropic":
        assert answers["counted"] == answers["chat"]["input"]
    else:
        assert answers["counted"] >= answers["chat"]["input"]


@with_either_sdk
@both
def test_models_are_listed(scripts: Scripts, sdk: str, protocol: str) -> None:
    models = scripts.ask(sdk, protocol)["models"]
    assert {"openai-chat", "anthropic-chat", f"{protocol}-thinker"} <= set(models["found"])
    assert models["one"] == f"{protocol}-chat"


@pytest.mark.parametrize("case", REFUSALS)
@with_either_sdk
@both
def test_every_failure_is_the_sdks_own_exception(
    scripts: Scripts, sdk: str, protocol: str, case: str
) -> None:
    kind, status, code = REFUSALS[case]
    answer = scripts.ask(sdk, protocol)[case]
    assert {"APIError", kind} <= set(answer["raised"])
    assert answer["status"] == status
    assert answer["requestID"].startswith("req_")
    if sdk == "openai":
        assert answer["code"] == code


@with_either_sdk
@both
def test_nobody_there_is_an_exception_that_may_be_tried_again(
    scripts: Scripts, sdk: str, protocol: str
) -> None:
    answer = scripts.ask(sdk, protocol)["deserted"]
    assert "InternalServerError" in answer["raised"]
    assert answer["status"] == DESERTED[sdk]


@with_either_sdk
@both
def test_a_stream_that_breaks_raises_after_what_was_said(
    scripts: Scripts, sdk: str, protocol: str
) -> None:
    answer = scripts.ask(sdk, protocol)["breaking"]
    assert answer["text"].startswith(" tok00000 tok00001")
    assert not answer["text"].endswith("tok00009")
    assert "APIError" in answer["raised"]
    assert "broke off" in answer["message"]
