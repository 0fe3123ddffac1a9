"""The installed command, run as people and programs run it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.cache import connect, keys
from tests.servers.redis import RedisServer

FILE = """
policies: [{name: default}]
providers:
  - code: local
    adapter: openai
    backends: [{slug: local, base_url: "http://127.0.0.1:9/v1"}]
    keys: [{name: main, secret: upstream-secret}]
models: [{slug: chat, backends: [local], prices: {input: 1, output: 2}}]
users: [{email: ada@example.test, limit_usd: 3}]
"""

Sluice = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def sluice(database_url: str, state_dir: Path) -> Sluice:
    """Runs the command; its Redis is away unless a test says otherwise."""

    def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        ours = {
            "PATH": os.environ["PATH"],
            "SLUICE_STATE_DIR": str(state_dir),
            "DATABASE_URL": database_url,
        }
        return subprocess.run(
            [sys.executable, "-c", "from gateway.cli import main; main()", *arguments],
            env=ours | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return call


def answer(done: subprocess.CompletedProcess[str]) -> Any:  # noqa: ANN401
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_configuration_goes_in_twice_and_comes_out_again(sluice: Sluice, tmp_path: Path) -> None:
    source, copy = tmp_path / "c.yaml", tmp_path / "copy.json"
    source.write_text(FILE)

    first = answer(sluice("import", str(source), "--json"))
    second = answer(sluice("import", str(source), "--json"))
    exported = sluice("export", "--with-secrets", "--output", str(copy))
    third = answer(sluice("import", str(copy), "--json"))

    assert {entry["outcome"] for entry in first["entries"]} == {"created"}
    assert {entry["outcome"] for entry in second["entries"]} == {"unchanged"}
    assert (exported.returncode, exported.stdout) == (0, "")
    assert "upstream-secret" in copy.read_text()
    assert copy.stat().st_mode & 0o777 == 0o600
    assert {entry["outcome"] for entry in third["entries"]} == {"unchanged"}


def test_a_key_is_made_shown_once_revoked_and_brought_back(sluice: Sluice, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(FILE)
    sluice("import", str(tmp_path / "c.yaml"))

    created = sluice("keys", "create", "laptop", "--user", "ada@example.test", "--limit", "1.5")
    listed = answer(sluice("keys", "list", "--json"))
    revoked = answer(sluice("keys", "revoke", "laptop", "--json"))
    enabled = answer(sluice("keys", "enable", listed[0]["id"], "--json"))
    revealed = answer(sluice("keys", "show", "laptop", "--reveal", "--json"))

    plain = created.stdout.strip()
    assert plain.startswith("sk-")
    assert plain not in json.dumps(listed)
    assert listed[0]["limit_nanos"] == 1_500_000_000
    assert (revoked["status"], enabled["status"]) == ("disabled", "active")
    assert revealed["key"] == plain
    assert (revealed["limit_nanos"], revealed["limit_usd"]) == (1_500_000_000, "1.50")
    shown = sluice("keys", "show", "laptop").stdout
    assert "1.50 USD" in shown
    assert "nanos" not in shown


def test_users_are_made_limited_granted_and_reset(sluice: Sluice, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(FILE)
    sluice("import", str(tmp_path / "c.yaml"))

    made = answer(sluice("users", "create", "bob@example.test", "--role", "manager", "--json"))
    limited = answer(sluice("users", "limit", "bob@example.test", "2.5", "--json"))
    granted = answer(sluice("users", "grant", str(made["number"]), "0.5", "--json"))
    disabled = answer(sluice("users", "disable", "bob@example.test", "--json"))
    entries = answer(sluice("ledger", "show", "bob@example.test", "--json"))
    reset = answer(sluice("users", "reset", "bob@example.test", "--json"))
    unlimited = answer(sluice("users", "limit", "bob@example.test", "unlimited", "--json"))

    assert made["role"] == "manager"
    assert limited["limit_nanos"] == 2_500_000_000
    assert granted["limit_nanos"] == 3_000_000_000
    assert disabled["status"] == "disabled"
    assert [entry["kind"] for entry in entries] == ["grant"]
    assert (reset["used_nanos"], unlimited["limit_nanos"]) == (0, None)


def test_models_are_priced_and_switched(sluice: Sluice, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(FILE)
    sluice("import", str(tmp_path / "c.yaml"))

    priced = answer(sluice("models", "price", "chat", "input=2", "output=4", "--json"))
    again = sluice("models", "price", "chat", "input=2", "output=4")
    disabled = answer(sluice("models", "disable", "chat", "--json"))

    assert (priced["price_version"], priced["usd_per_million"]["output"]) == (2, "4.00")
    assert "costs already input 2.00" in again.stdout
    assert disabled["enabled"] is False


def test_the_ledger_is_verified_and_rebuilt(sluice: Sluice) -> None:
    assert answer(sluice("ledger", "verify", "--json")) == []
    assert answer(sluice("ledger", "rebuild", "--json"))["users"] == 0


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("import", "none.yaml"), "none.yaml: No such file or directory"),
        (("keys", "revoke", "nobody"), "there is no API key 'nobody'"),
        (("users", "grant", "nobody", "1"), "there is no user 'nobody'"),
        (("models", "enable", "nothing"), "there is no model 'nothing'"),
        (("flower",), "FLOWER_BASIC_AUTH"),
    ],
)
def test_a_failure_is_one_line_on_standard_error(
    sluice: Sluice, arguments: tuple[str, ...], problem: str
) -> None:
    done = sluice(*arguments)

    assert (done.returncode, done.stdout) == (1, "")
    assert problem in done.stderr
    assert done.stderr.startswith("sluice: ")
    assert done.stderr.count("\n") == 1


def test_a_database_that_is_not_migrated_is_said_to_be(sluice: Sluice, state_dir: Path) -> None:
    done = sluice("users", "list", DATABASE_URL=f"sqlite:///{state_dir / 'empty.db'}")

    assert done.returncode == 1
    assert "run `sluice migrate`" in done.stderr


def test_migrating_makes_the_state_directory(sluice: Sluice, state_dir: Path) -> None:
    place = state_dir / "new"

    done = sluice("migrate", "--json", SLUICE_STATE_DIR=str(place), DATABASE_URL="")

    assert answer(done)["revision"]
    assert (place / "sluice.db").exists()


def test_the_doctor_finds_what_is_wrong_and_says_what_to_do(sluice: Sluice, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(FILE)
    sluice("import", str(tmp_path / "c.yaml"))

    done = sluice("doctor", "--json")

    findings = json.loads(done.stdout)
    by_subject = {finding["subject"]: finding for finding in findings}
    assert done.returncode == 1
    assert by_subject["Redis"]["level"] == "error"
    assert by_subject["administrators"]["level"] == "warn"
    assert by_subject["backend local"]["level"] == "warn"
    assert all(f["advice"] for f in findings if f["level"] != "ok")


def test_the_doctor_looks_before_it_speaks_of_secret_key_and_journals(
    sluice: Sluice, state_dir: Path
) -> None:
    place = state_dir / "fresh"
    (place / "journal").mkdir(parents=True)
    (place / "journal" / "gone.journal").write_bytes(b"left")
    fresh = {"SLUICE_STATE_DIR": str(place), "DATABASE_URL": ""}

    before = json.loads(sluice("doctor", "--json", **fresh).stdout)
    (place / "secret.key").touch(mode=0o600)
    after = json.loads(sluice("doctor", "--json", **fresh).stdout)

    def message(findings: list[dict[str, str]], subject: str) -> str:
        return next(it["message"] for it in findings if it["subject"] == subject)

    assert message(before, "secret key").startswith("there is none yet")
    assert message(after, "secret key").startswith("generated in ")
    assert message(after, "journals").startswith("1 segment of ")


def test_a_time_of_day_that_does_not_exist_is_refused_in_words(
    sluice: Sluice, tmp_path: Path
) -> None:
    hours = '[{start: "08:00", end: "25:00"}]'
    (tmp_path / "c.yaml").write_text(f"policies: [{{name: p, available_time_ranges: {hours}}}]")

    done = sluice("import", str(tmp_path / "c.yaml"))

    assert "a time of day from 00:00 to 24:00" in done.stderr
    assert "available_time_ranges[0].end" in done.stderr
    assert "regex" not in done.stderr


def test_the_simulator_says_what_it_speaks_and_what_it_can_do_wrong(sluice: Sluice) -> None:
    help_text = sluice("demo-upstream", "--help").stdout

    assert all(word in help_text for word in ("/v1", "/anthropic", "call:A,B", "raSECONDS"))


def test_the_doctor_is_content_with_a_sound_installation(
    sluice: Sluice, redis_server: RedisServer
) -> None:
    done = sluice("doctor", "--json", REDIS_URL=redis_server.url)

    levels = {finding["level"] for finding in json.loads(done.stdout)}
    assert done.returncode == 0
    assert levels == {"ok", "warn"}


def test_the_doctor_names_every_invalid_setting(sluice: Sluice) -> None:
    done = sluice("doctor", "--json", PORT="eighty", SLUICE_API__WORKERS="many")

    messages = [finding["message"] for finding in json.loads(done.stdout)]
    assert done.returncode == 1
    assert [message.partition(":")[0] for message in messages] == [
        "PORT (or SLUICE_PORT)",
        "SLUICE_API__WORKERS",
    ]


def test_a_change_is_announced_to_running_processes(
    sluice: Sluice, redis_server: RedisServer, tmp_path: Path
) -> None:
    (tmp_path / "c.yaml").write_text(FILE)
    client = connect(redis_server.url)
    client.set(keys.EPOCH, b"here")

    done = sluice("import", str(tmp_path / "c.yaml"), REDIS_URL=redis_server.url)

    assert done.returncode == 0, done.stderr
    assert client.get(keys.revision("catalog", "")) == b"1"
    assert done.stderr == ""
    client.close()
