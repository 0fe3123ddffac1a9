"""Commands about the installation: migrating and examining it."""

import sys

import click

from gateway import doctor as examination
from gateway import settings as settings_of
from gateway.cli import output
from gateway.db import migrate as migrations
from gateway.db import normalise_url
from gateway.doctor import Level

MARKS = {Level.OK: "ok", Level.WARN: "WARN", Level.ERROR: "ERROR"}


@click.command()
@output.json_option
def migrate(*, as_json: bool) -> None:
    """Bring the database to the newest revision."""
    settings = settings_of.load()
    url = settings.resolved_database_url
    if normalise_url(url).get_backend_name() == "sqlite":
        settings.state_dir.mkdir(parents=True, exist_ok=True)
    migrations.upgrade(url)
    revision, _ = migrations.current_and_head(url)
    if as_json:
        output.print_json({"revision": revision})
    output.say(f"The database is at revision {revision}.", as_json=as_json)


@click.command()
@output.json_option
def doctor(*, as_json: bool) -> None:
    """Say what is configured, reachable and wrong, and what to do; exit code 1 if in error."""
    findings = examination.examine()
    if as_json:
        output.print_json(findings)
    else:
        output.print_table(
            ("", "subject", "finding", "what to do"),
            [(MARKS[f.level], f.subject, f.message, f.advice) for f in findings],
        )
    sys.exit(any(finding.level is Level.ERROR for finding in findings))


COMMANDS = {"migrate": migrate, "doctor": doctor}
