"""Errors speak the dialect of the route, wherever on it they happen."""

from types import SimpleNamespace
from typing import cast

import pytest
from sanic.compat import Header

from api.context import Request
from api.dialects import dialect_of
from gateway.protocols.errors import ANTHROPIC, OPENAI, Dialect

VERSION = {"anthropic-version": "2023-06-01"}


class Unreadable:
    headers = Header()

    @property
    def path(self) -> str:
        return b"/v1/messages/\xff".decode()


@pytest.mark.parametrize(
    ("path", "headers", "dialect"),
    [
        ("/v1/messages", {}, ANTHROPIC),
        ("/v1/messages/", {}, ANTHROPIC),
        ("/v1/messages/count_tokens", {}, ANTHROPIC),
        ("/v1/messages/batches/x", {}, ANTHROPIC),
        ("/v1/messagesque", VERSION, OPENAI),
        ("/v1/models", VERSION, ANTHROPIC),
        ("/v1/models/vendor/a", VERSION, ANTHROPIC),
        ("/v1/models", {}, OPENAI),
        ("/v1/dashboard/models", VERSION, OPENAI),
        ("/v1/chat/completions", VERSION, OPENAI),
        ("*", {}, OPENAI),
    ],
)
def test_the_route_decides(path: str, headers: dict[str, str], dialect: Dialect) -> None:
    request = SimpleNamespace(path=path, headers=Header(headers))
    assert dialect_of(cast("Request", request)) is dialect


def test_an_address_that_is_no_text_has_the_usual_dialect() -> None:
    assert dialect_of(cast("Request", Unreadable())) is OPENAI
