"""``sluice route`` beside no gateway and no Redis, on either database."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FILE = """
policies: [{name: default, models: ["*"], default_model: chat, cost_quota_monthly_usd: 5}]
providers:
  - code: local
    adapter: openai
    backends:
      - {slug: east, base_url: "http://127.0.0.1:9/v1", weight: 3}
      - {slug: west, base_url: "http://127.0.0.1:9/v1", enabled: false}
    keys:
      - {name: main, secret: upstream-secret}
      - {name: old, secret: upstream-secret-too, enabled: false}
  - {code: keyless, adapter: openai, backends: [{slug: south, base_url: "http://127.0.0.1:9/v1"}]}
models:
  - {slug: chat, aliases: [talk], backends: [east, west, south], prices: {input: 1, output: 2}}
  - {slug: embed, type: embedding, backends: [east], prices: {input: 1}}
users:
  - email: ada@example.test
    limit_usd: 0.005
    apps: [{name: search, limit_usd: 3}]
    keys: [{name: laptop, app: search}]
"""

Route = Callable[..., Any]


@pytest.fixture
def route(database_url: str, state_dir: Path) -> Route:
    environment = {
        "PATH": os.environ["PATH"],
        "SLUICE_STATE_DIR": str(state_dir),
        "DATABASE_URL": database_url,
    }

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from gateway.cli import main; main()", *arguments]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    def ask(model: str, *arguments: str) -> Any:  # noqa: ANN401
        done = call("route", model, "--key", "laptop", "--json", *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert "upstream-secret" not in done.stdout
        return json.loads(done.stdout)

    (state_dir / "c.yaml").write_text(FILE)
    assert call("import", str(state_dir / "c.yaml")).returncode == 0
    return ask


def test_everything_but_health_is_told(route: Route) -> None:
    found = route("talk")
    told = found["told"]
    assert (told["asked"], told["model"], told["refusal"]) == ("talk", "chat", None)
    assert told["is_health_known"] is False
    assert [(it["backend"], it["provider_key"]) for it in told["options"]] == [("east", "main")]
    assert {(left["backend"], left["provider_key"]) for left in found["left_out"]} == {
        ("west", None),
        ("south", None),
        ("east", "old"),
    }
    assert (found["price_version"], found["key"]) == (1, "laptop")
    assert [limit["what"] for limit in told["limits"]] == ["USD per month"]


def test_the_allowances_of_all_levels_bound_the_answer(route: Route) -> None:
    told = route("chat")["told"]
    assert told["available_nanos"] == {"user": 5_000_000, "key": None, "app": 3_000_000_000}
    assert told["hold"]["is_cut"]
    assert told["hold"]["total_nanos"] <= 5_000_000
    refused = route("chat", "--max-tokens", "4096")["told"]
    assert refused["refusal"]["code"] == "insufficient_quota"


def test_routes_of_other_types_are_told_without_an_answer_to_pay(route: Route) -> None:
    hold = route("embed", "--prompt", "four words of text")["told"]["hold"]
    assert (hold["output_tokens"], hold["output_nanos_per_million"]) == (0, 0)
    assert hold["total_nanos"] == 1_000 * hold["prompt_tokens"]


def test_a_body_may_come_from_a_file(route: Route, tmp_path: Path) -> None:
    body = {
        "model": "other",
        "max_tokens": 7,
        "n": 2,
        "messages": [{"role": "user", "content": "x"}],
    }
    (tmp_path / "body.json").write_text(json.dumps(body))
    hold = route("chat", "--prompt", f"@{tmp_path / 'body.json'}")["told"]["hold"]
    assert (hold["output_tokens"], hold["choices"]) == (7, 2)
