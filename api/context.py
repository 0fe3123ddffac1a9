"""The framework's types with our contexts, so that handlers never cast."""

from types import SimpleNamespace

import sanic
from sanic.config import Config

from gateway.relay import Deps
from gateway.settings import Settings


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
Request = sanic.Request[App, RequestContext]
