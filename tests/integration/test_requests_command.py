"""``sluice requests``: what operators read about calls that were made."""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gateway import money
from models import RequestRecord
from tests.integration.places import Place, add_places
from tests.stack import Stack
from tests.stack.of_module import stack_of_module
from tests.stack.stack import EMAIL

MESSAGES: list[Any] = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    with stack_of_module(sqlite_template) as running:
        yield running


@pytest.fixture(autouse=True)
def _sound(stack: Stack) -> None:
    stack.simulator.reset()


def sluice(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from gateway.cli import main; main()", *arguments],
        env={"PATH": os.environ["PATH"], **stack.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def told(stack: Stack, *arguments: str) -> Any:  # noqa: ANN401
    done = sluice(stack, "requests", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def call(stack: Stack, model: str) -> str:
    """The id of a call that is in the database."""
    with stack.http() as http:
        response = http.post("/v1/chat/completions", json={"model": model, "messages": MESSAGES})
    request_id = str(response.headers["x-request-id"])
    stack.wait_for(lambda: stack.drain() >= 0 and _is_known(stack, request_id))
    return request_id


def _is_known(stack: Stack, request_id: str) -> bool:
    with stack.database.snapshot() as session:
        query = select(RequestRecord.id).where(RequestRecord.id == request_id)
        return session.scalars(query).one_or_none() is not None


def test_a_call_is_shown_with_every_attempt_and_what_it_cost(stack: Stack) -> None:
    add_places(stack, "twice", [Place("ill", 9), Place("well", 1)], load_balancing="weighted")
    stack.simulator.fault("e503", path="/ill/*")
    request_id = call(stack, "twice")

    report = told(stack, "show", request_id)

    request, attempts = report["request"], report["attempts"]
    assert (request["user"], request["api_key"], request["backend"]) == (EMAIL, "key", "well")
    assert (request["status"], request["http_status"]) == ("succeeded", 200)
    assert request["charge_usd"] == money.format_usd(request["charge_nanos"])
    assert 0 < request["charge_nanos"] <= report["held_nanos"]
    assert [(it["backend"], it["provider_key"], it["http_status"]) for it in attempts] == [
        ("ill", "k", 503),
        ("well", "k", 200),
    ]
    assert {it["upstream_model"] for it in attempts} == {"sim-chat"}
    text = sluice(stack, "requests", "show", request_id).stdout
    assert all(word in text for word in (request_id, EMAIL, "ill", "well", "503", "USD"))


def test_failed_calls_and_those_of_a_model_are_found(stack: Stack) -> None:
    add_places(stack, "fine", [Place("fine-place")])
    add_places(stack, "broken", [Place("broken-place")])
    stack.simulator.fault("e503", path="/broken-place/*")
    good, bad = call(stack, "fine"), call(stack, "broken")

    failed = told(stack, "list", "--failed", "--model", "broken")
    none = told(stack, "list", "--failed", "--model", "fine")
    of_model = told(stack, "list", "--model", "fine")
    newest = told(stack, "list", "--last", "1")

    assert ([it["id"] for it in failed], none) == ([bad], [])
    assert (failed[0]["error_code"], failed[0]["charge_usd"]) == ("upstream_error", "0.00")
    assert [it["id"] for it in of_model] == [good]
    assert [it["id"] for it in newest] == [bad]
    assert bad in sluice(stack, "requests", "list").stdout


def test_the_doctor_names_the_breaker_that_is_open_and_the_key_that_cools_down(
    stack: Stack,
) -> None:
    add_places(stack, "shut", [Place("shut-place")])
    add_places(stack, "gone", [Place("gone-place")])
    add_places(stack, "refused", [Place("refused-place")])
    stack.simulator.fault("e503", path="/shut-place/*")
    stack.simulator.fault("refuse", path="/gone-place/*")
    stack.simulator.fault("e401", path="/refused-place/*")
    with stack.http() as http:
        for model in (*5 * ["shut", "gone"], "refused"):
            http.post("/v1/chat/completions", json={"model": model, "messages": MESSAGES})

    findings = json.loads(sluice(stack, "doctor", "--json").stdout)

    warned = {it["subject"]: it["message"] for it in findings if it["level"] == "warn"}
    assert warned["model shut on backend shut-place"].startswith("its breaker is open")
    assert warned["backend gone-place"].startswith("its breaker is open")
    assert warned["provider key refused-place/k"].startswith("cools down for another ")


def test_a_request_that_nobody_knows_is_one_line_on_standard_error(stack: Stack) -> None:
    done = sluice(stack, "requests", "show", "nothing")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("sluice: there is no record of a request 'nothing'")
