"""The command line itself: help is quick, arguments are checked, failures are one line."""

import subprocess
import sys
from decimal import Decimal

import click
import pytest
from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError

from gateway.cli import COMMANDS, arguments, problems, sluice
from gateway.configuration.problems import ConfigurationError
from gateway.crypto import UnreadableSecretError
from gateway.settings import Settings

HEAVY = ("sqlalchemy", "pydantic", "redis", "rich", "msgspec", "gateway.db")


def test_help_lists_every_command_without_importing_what_they_need() -> None:
    script = (
        "import sys, gateway.cli\n"
        "try: gateway.cli.sluice(['--help'])\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert all(f"  {name} " in done.stdout for name in COMMANDS)
    assert done.stdout.endswith("[]\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_exists(name: str) -> None:
    command = sluice.get_command(click.Context(sluice), name)

    assert command is not None
    assert command.name == name


def test_an_unknown_command_is_refused() -> None:
    with pytest.raises(click.UsageError, match="No such command"):
        sluice.main(["no-such"], standalone_mode=False)


def test_prices_are_read_from_pairs() -> None:
    assert arguments.parse_prices(("input=2.50", "image:1024x1024=40000")) == {
        "input": Decimal("2.50"),
        "image:1024x1024": Decimal(40000),
    }


@pytest.mark.parametrize("pair", ["input", "input=", "input=cheap", "=1x"])
def test_a_price_that_cannot_be_read_is_refused(pair: str) -> None:
    with pytest.raises(click.BadParameter, match="DIMENSION=USD"):
        arguments.parse_prices((pair,))


def test_every_invalid_setting_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "eighty")
    monkeypatch.setenv("SLUICE_API__WORKERS", "many")

    with pytest.raises(ValidationError) as raised:
        Settings()

    lines = problems.describe(raised.value)
    assert [line.partition(":")[0] for line in lines] == [
        "PORT (or SLUICE_PORT)",
        "SLUICE_API__WORKERS",
    ]


def test_expected_failures_are_described_and_bugs_are_not() -> None:
    assert problems.describe(ConfigurationError("models[0]: wrong")) == ["models[0]: wrong"]
    assert "SLUICE_SECRET_KEY" in problems.describe(UnreadableSecretError())[0]
    assert "run it again" in problems.describe(IntegrityError("", {}, Exception()))[0]
    assert problems.describe(AssertionError()) == []
