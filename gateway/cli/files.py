"""Commands that move the configuration between the database and a file."""

import os
from pathlib import Path

import click

from gateway.cli import output
from gateway.cli.installation import opened
from gateway.configuration import files
from gateway.configuration.apply import apply
from gateway.configuration.changes import Outcome, Report
from gateway.configuration.export import export


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@output.json_option
def import_(file: Path, *, as_json: bool) -> None:
    """Bring the configuration to what FILE (YAML, JSON or TOML) says.

    Importing a file again changes nothing. A wrong file has no effect.
    """
    document = files.read(file)
    with opened() as here, here.database.transaction() as session:
        report = apply(session, here.sealer, document)
    if as_json:
        output.print_json(report)
    else:
        _print(report)


def _print(report: Report) -> None:
    changed = [entry for entry in report.entries if entry.outcome is not Outcome.UNCHANGED]
    if changed:
        output.print_table(
            ("", "object", "name"), [(entry.outcome, entry.kind, entry.name) for entry in changed]
        )
    counts = ", ".join(f"{report.count(outcome)} {outcome}" for outcome in Outcome)
    output.say(f"{counts}.")
    for key in report.keys:
        output.say(f"New API key {key.name!r} of {key.user}, shown this once: {key.key}")


@click.command("export")
@click.option("--output", "target", type=click.Path(path_type=Path), help="Write to this file.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON instead of YAML.")
@click.option("--with-secrets", is_flag=True, help="Include keys and password hashes.")
def export_(target: Path | None, *, as_json: bool, with_secrets: bool) -> None:
    """Write the configuration down, so that importing it changes nothing."""
    form: files.Format = "json" if as_json else files.format_of(target) if target else "yaml"
    with opened() as here, here.database.snapshot() as session:
        text = files.encode(export(session, here.sealer, with_secrets=with_secrets), form)
    if target is None:
        click.echo(text, nl=False)
        return
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        # The mode above counts for new files only.
        os.fchmod(file.fileno(), 0o600)
        file.write(text)


COMMANDS = {"import": import_, "export": export_}
