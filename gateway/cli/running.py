"""Commands that become a process, or start all of them."""

import os
import sys
from collections.abc import Callable

import click

from gateway import settings as settings_of
from gateway import supervisor
from gateway.configuration.problems import ConfigurationError

PASS_ON = {"ignore_unknown_options": True, "help_option_names": []}
FLOWER_PASSWORD = "FLOWER_BASIC_AUTH"  # noqa: S105 - the name of a variable
FLOWER = {"FLOWER_ADDRESS": "127.0.0.1", "FLOWER_READ_ONLY": "true"}


@click.command()
def up() -> None:
    """Run everything on this machine until Ctrl-C."""
    sys.exit(supervisor.up(settings_of.load(), announce=click.echo))


def _unchanged(environment: dict[str, str]) -> dict[str, str]:
    return environment


def _guarded(environment: dict[str, str]) -> dict[str, str]:
    """Flower shows what tasks carry: never without a password, read-only unless told otherwise."""
    if not environment.get(FLOWER_PASSWORD):
        msg = f"Flower needs a password: set {FLOWER_PASSWORD}=user:password"
        raise ConfigurationError(msg)
    return {**FLOWER, **environment}


def _becoming(
    name: str,
    *module: str,
    prepare: Callable[[dict[str, str]], dict[str, str]] = _unchanged,
) -> click.Command:
    """A command that is replaced by ``python -m module`` with the same arguments."""

    @click.command(name, context_settings=PASS_ON, add_help_option=False)
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def become(arguments: tuple[str, ...]) -> None:
        settings_of.load()  # says what is wrong before anything starts
        environment = prepare(settings_of.environment())
        sys.stdout.flush()
        command = [sys.executable, "-m", *module, *arguments]
        os.execve(sys.executable, command, environment)  # noqa: S606 - becoming it is the point

    return become


COMMANDS = {
    "up": up,
    "api": _becoming("api", "api"),
    "worker": _becoming("worker", "workers"),
    "beat": _becoming("beat", "beat"),
    "flower": _becoming("flower", "celery", "-A", "workers.app", "flower", prepare=_guarded),
    "demo-upstream": _becoming("demo-upstream", "tests.upstream"),
}
