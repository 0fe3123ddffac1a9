"""Which dialect a request is answered in: that of its route, whatever happens to it."""

from api.context import Request
from gateway.protocols.errors import ANTHROPIC, OPENAI, Dialect

MESSAGES = "/v1/messages"
# Both dialects have this address; clients of one of them say a version.
MODELS = "/v1/models"
VERSION = "anthropic-version"


def dialect_of(request: Request) -> Dialect:
    """Also for addresses at which there is nothing."""
    try:
        path = request.path
    except UnicodeDecodeError:
        return OPENAI
    if _is_below(path, MESSAGES):
        return ANTHROPIC
    if _is_below(path, MODELS) and VERSION in request.headers:
        return ANTHROPIC
    return OPENAI


def _is_below(path: str, root: str) -> bool:
    return path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/")
