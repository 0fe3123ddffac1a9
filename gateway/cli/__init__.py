"""The ``sluice`` command: one table of commands, each of them loaded only when it is used."""

import importlib
import sys

import click

COMMANDS = {
    "up": ("gateway.cli.running", "Run everything on this machine."),
    "api": ("gateway.cli.running", "Run one API process."),
    "worker": ("gateway.cli.running", "Run one worker process."),
    "beat": ("gateway.cli.running", "Run the process that rings for periodic work."),
    "flower": ("gateway.cli.running", "Run the task monitor."),
    "demo-upstream": ("gateway.cli.running", "Run the simulator of upstream vendors."),
    "migrate": ("gateway.cli.system", "Bring the database to the newest revision."),
    "doctor": ("gateway.cli.system", "Say what is configured, reachable and wrong."),
    "import": ("gateway.cli.files", "Bring the configuration to what a file says."),
    "export": ("gateway.cli.files", "Write the configuration down."),
    "keys": ("gateway.cli.keys", "API keys: list, create, revoke, enable, show."),
    "users": ("gateway.cli.users", "Users: list, create, disable, enable, limit, grant, reset."),
    "models": ("gateway.cli.models", "Models: list, price, enable, disable."),
    "route": ("gateway.cli.route", "Say where a call would go, why, and what it may cost."),
    "requests": ("gateway.cli.requests", "Records of calls and their attempts: list, show."),
    "ledger": ("gateway.cli.ledger", "The ledger: verify, rebuild, show."),
}


class _Table(click.Group):
    """Help reads the table above; only the command that runs is imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command: click.Command = module.COMMANDS[cmd_name]
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_Table, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sluice")
def sluice() -> None:
    """Sluice is an AI API gateway that a team runs itself.

    Settings come from the environment (SLUICE_…, PORT, DATABASE_URL, REDIS_URL).
    """


def main() -> None:
    """Run one command; what is expected to go wrong is one line each, and exit code 1."""
    try:
        sluice(prog_name="sluice")
    except Exception as error:
        problems = importlib.import_module("gateway.cli.problems")
        lines = problems.describe(error)
        if not lines:
            raise
        for line in lines:
            click.echo(f"sluice: {line}", err=True)
        sys.exit(1)
