"""Reading what a vendor says went wrong, whichever of the many shapes it says it in."""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import msgspec

from gateway.errors import UpstreamError
from gateway.protocols import sse
from gateway.protocols.canonical import Json, UpstreamProblem

# Invalid UTF-8 inside a string is no DecodeError of msgspec's.
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
ENDED_EARLY = UpstreamProblem("The stream ended before the answer was complete.")

_UNTOLD = "The provider reported an error."


class ReportedProblemError(UpstreamError):
    """An error in a body whose status said that all was well."""

    def __init__(self, problem: UpstreamProblem) -> None:
        super().__init__()
        self.problem = problem


_TITLE = re.compile(r"<title[^>]*>([^<]*)</title>", re.IGNORECASE)
_LONGEST_TEXT = 2_000
_LONGEST_TITLE = 200


def read_upstream_error(status: int, body: bytes) -> UpstreamProblem:
    """Always a problem with a message, even of an empty, cut or HTML body."""
    try:
        document = msgspec.json.decode(body)
    except NOT_JSON:
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


def no_answer(body: bytes, message: str) -> UpstreamError:
    """Why a body that came as a success is none: the error that it reports, or ``message``."""
    try:
        problem = _find_reported(msgspec.json.decode(body))
    except NOT_JSON:
        problem = None
    return UpstreamError(message) if problem is None else ReportedProblemError(problem)


def find_event_problem(
    event: bytes, data: bytes, is_answer: Callable[[Json, bytes | None], bool]
) -> UpstreamProblem | None:
    """The error that an event of a stream reports instead of a part of the answer.

    ``is_answer`` knows the dialect's parts by document and name; an error beside one counts.
    """
    name = sse.name_of(event)
    try:
        document = msgspec.json.decode(data)
    except NOT_JSON:
        return UpstreamProblem(data.decode(errors="replace")) if name == b"error" else None
    if isinstance(document, dict) and not document.get("error") and is_answer(document, name):
        return None
    return _told(document) if name == b"error" else _find_reported(document)


def _find_reported(document: object) -> UpstreamProblem | None:
    """The error in a document that is no answer, if it says anything of one."""
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict):
        return None
    is_reported = (
        document.get("error")
        or document.get("code")
        or "error" in (document.get("object"), document.get("type"))
        or _message(document, ("message", "msg"))
    )
    return _told(document) if is_reported else None


def _told(document: object) -> UpstreamProblem:
    problem = find_problem(document)
    if problem is None:
        return UpstreamProblem(_UNTOLD)
    return problem if problem.message else msgspec.structs.replace(problem, message=_UNTOLD)


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
    return title[1].strip()[:_LONGEST_TITLE] if title else ""


def _phrase(status: int) -> str:
    try:
        return f"The provider answered {status} {HTTPStatus(status).phrase}."
    except ValueError:
        return f"The provider answered {status}."
