"""``sluice requests``: what became of calls, and what was tried for them."""

import datetime as dt

import click

from gateway import money
from gateway.cli import output, request_records
from gateway.cli.installation import opened
from gateway.cli.request_records import AttemptView, RequestReport, RequestView


@click.group()
def requests() -> None:
    """Records of calls; ID is what x-sluice-request says, or x-request-id in an error."""


@requests.command("list")
@click.option("--last", default=20, show_default=True, type=click.IntRange(1), help="How many.")
@click.option("--failed", is_flag=True, help="Only those that did not end well.")
@click.option("--model", help="Only calls of this model.")
@output.json_option
def list_(last: int, model: str | None, *, failed: bool, as_json: bool) -> None:
    """List calls, the newest first."""
    with opened() as here, here.database.snapshot() as session:
        views = request_records.list_requests(session, last, model, failed=failed)
    if as_json:
        output.print_json(views)
        return
    output.print_table(
        (
            *("time", "user", "model", "backend", "tries", "status", "http", "error"),
            *("tokens in", "out", "USD", "ms", "id"),
        ),
        [_row(view) for view in views],
    )


def _row(view: RequestView) -> tuple[object, ...]:
    return (
        _time(view.created_at),
        view.user,
        view.model,
        view.backend,
        view.attempts,
        view.status,
        view.http_status or None,
        view.error_code,
        view.input_tokens,
        view.output_tokens,
        view.charge_usd,
        view.duration_ms,
        view.id,
    )


def _time(value: dt.datetime) -> str:
    return value.strftime("%Y-%m-%d %H:%M:%S")


@requests.command()
@click.argument("request_id", metavar="ID")
@output.json_option
def show(request_id: str, *, as_json: bool) -> None:
    """Show one call with its attempts."""
    with opened() as here, here.database.snapshot() as session:
        report = request_records.get_report(session, request_id)
    if as_json:
        output.print_json(report)
        return
    output.print_table(("", ""), _lines(report))
    if report.attempts:
        click.echo()
        output.print_table(
            ("", "backend", "key", "sent as", "outcome", "http", "began ms", "took ms", "error"),
            [_attempt(attempt) for attempt in report.attempts],
        )


def _lines(report: RequestReport) -> list[tuple[str, object]]:
    view = report.request
    return [
        ("id", view.id),
        ("began", f"{_time(view.created_at)} UTC"),
        ("user", view.user),
        ("app", view.app),
        ("key", view.api_key),
        ("asked for", f"{view.model} ({view.surface} {view.operation})"),
        ("answered by", f"{view.answered_model} at {view.backend}" if view.backend else None),
        ("stream", view.stream),
        ("status", view.status),
        ("http", view.http_status or None),
        ("error", view.error_code),
        ("took", f"{view.duration_ms} ms"),
        ("first byte", None if view.first_byte_ms is None else f"{view.first_byte_ms} ms"),
        ("tokens", _tokens(view)),
        ("held", None if report.held_usd is None else f"{report.held_usd} USD"),
        ("charge", f"{view.charge_usd} USD"),
        ("our cost", f"{money.format_usd(view.cost_nanos)} USD"),
        ("beyond the hold", f"{money.format_usd(view.overrun_nanos)} USD"),
        ("left by the client", report.disconnect_policy),
    ]


def _tokens(view: RequestView) -> str:
    return (
        f"{view.input_tokens} in ({view.cached_tokens} cached, {view.cache_write_tokens} written), "
        f"{view.output_tokens} out ({view.reasoning_tokens} reasoning); {view.basis}"
    )


def _attempt(attempt: AttemptView) -> tuple[object, ...]:
    return (
        attempt.number,
        attempt.backend,
        attempt.provider_key,
        attempt.upstream_model,
        attempt.outcome,
        attempt.http_status,
        attempt.started_ms,
        attempt.duration_ms,
        attempt.error,
    )


COMMANDS = {"requests": requests}
