"""Reading what a vendor says went wrong, whichever of the many shapes it says it in."""

import re
from http import HTTPStatus
from typing import Any

import msgspec

from gateway.errors import UpstreamError
from gateway.protocols.canonical import UpstreamProblem


class ReportedProblemError(UpstreamError):
    """An error in a body whose status said that all was well."""

    def __init__(self, problem: UpstreamProblem) -> None:
        super().__init__()
        self.problem = problem


_TITLE = re.compile(r"<title[^>]*>\s*(.{1,200}?)\s*</title>", re.IGNORECASE | re.DOTALL)
_LONGEST_TEXT = 2_000


def read_upstream_error(status: int, body: bytes) -> UpstreamProblem:
    """Always a problem with a message, even of an empty, cut or HTML body."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return UpstreamProblem(_from_text(body) or _phrase(status))
    problem = find_problem(document)
    if problem is None or not problem.message:
        return UpstreamProblem(_phrase(status))
    return problem


def find_problem(document: object) -> UpstreamProblem | None:
    """The problem that a JSON document tells of, if it does."""
    if isinstance(document, list) and document:
        document = document[0]
    if isinstance(document, str):
        return UpstreamProblem(document)
    if not isinstance(document, dict):
        return None
    error = document.get("error")
    if isinstance(error, dict):
        return _from_object(error)
    if isinstance(error, str) and error:
        return UpstreamProblem(_message(document, ("message", "error_description")) or error)
    return _from_object(document)


def _from_object(error: dict[str, Any]) -> UpstreamProblem:
    return UpstreamProblem(
        message=_message(error, ("message", "msg", "error_msg", "detail", "errors")),
        type=_word(error.get("type")) or _word(error.get("status")),
        code=_word(error.get("code")),
        param=_word(error.get("param")),
    )


def _message(error: dict[str, Any], names: tuple[str, ...]) -> str:
    return next((text for name in names if (text := _text(error.get(name)))), "")


def _text(value: object) -> str:
    """Text, or the first text in a list of validation errors."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value:
        return _text(value[0])
    if isinstance(value, dict):
        return _text(value.get("message") or value.get("msg"))
    return ""


def _word(value: object) -> str | None:
    if isinstance(value, bool) or value is None:
        return None
    return str(value) if isinstance(value, str | int) and value != "" else None


def _from_text(body: bytes) -> str:
    text = body[:_LONGEST_TEXT].decode(errors="replace").strip()
    if "<" not in text[:1]:
        return text
    title = _TITLE.search(text)
    return title[1] if title else ""


def _phrase(status: int) -> str:
    try:
        return f"The provider answered {status} {HTTPStatus(status).phrase}."
    except ValueError:
        return f"The provider answered {status}."
