"""The framework's types with our contexts, so that handlers never cast."""

from types import SimpleNamespace
from typing import Any

import sanic
from sanic.config import Config

from gateway.relay import Deps
from gateway.settings import Settings

UNREADABLE = "NONE"  # the stand-in's method


class AppContext(SimpleNamespace):
    """What lives as long as the server process."""

    settings: Settings
    deps: Deps
    is_stopping: bool


class RequestContext(SimpleNamespace):
    """What is known of one request."""

    request_id: str  # the client's own, or the reference
    reference: str  # ours: names record and ledger entry


App = sanic.Sanic[Config, AppContext]


class Request(sanic.Request[App, RequestContext]):
    """A request as the framework read it, or its stand-in for one that could not be read."""

    def __init__(self, **given: Any) -> None:  # noqa: ANN401
        if given["method"] == UNREADABLE:
            # The framework would fail on the same bad address again, and answer nothing.
            given["url_bytes"] = b"*"
        super().__init__(**given)
