"""Errors as answers, in the dialect of the route."""

import asyncio
import math

from sanic import HTTPResponse
from sanic.exceptions import (
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    SanicException,
)

from api import rate_limits
from api.context import UNREADABLE, App, Request
from api.dialects import dialect_of
from api.middleware import names_of, request_id
from gateway import log
from gateway.errors import (
    GatewayError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
    RequestTooLargeError,
    UnavailableError,
)

CLIENT_LEFT = 499

_log = log.get(__name__)


def register(app: App) -> None:
    app.error_handler.add(GatewayError, _render)
    app.error_handler.add(SanicException, _translate)
    app.error_handler.add(Exception, _unexpected)
    app.error_handler.add(asyncio.CancelledError, _left)


def _render(request: Request, error: Exception) -> HTTPResponse:
    assert isinstance(error, GatewayError)  # noqa: S101 - registered for this class
    reference = request_id(request)
    if isinstance(error, UnavailableError):
        _log.warning("request_refused", request_id=reference, code=error.code, **error.context)
    dialect = dialect_of(request)
    headers = {**names_of(request), **rate_limits.headers_of(dialect, error.rate_limits)}
    if hasattr(request.ctx, "reference"):
        headers["x-sluice-request"] = request.ctx.reference  # its record, if it was admitted
    if error.retry_after_seconds is not None:
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after_seconds)))
    body = dialect.render(error, reference)
    status = dialect.status(error)
    return HTTPResponse(body, status, headers=headers, content_type="application/json")


def _translate(request: Request, error: Exception) -> HTTPResponse:
    return _render(request, _known(request, error))


def _known(request: Request, error: Exception) -> GatewayError:
    """Sanic's own refusals as ours."""
    match error:
        case NotFound():
            return NotFoundError(f"There is nothing at {request.path[:200]}.")
        case MethodNotAllowed():
            return MethodNotAllowedError()
        case PayloadTooLarge():
            return _too_large(request)
        case SanicException() if 400 <= error.status_code < 500:
            return InvalidRequestError(str(error))
        case _:
            return UnavailableError()


def _too_large(request: Request) -> GatewayError:
    if request.method == UNREADABLE:
        return RequestTooLargeError("The headers are larger than this gateway accepts.")
    limit = request.app.ctx.settings.api.max_body_bytes
    return RequestTooLargeError(f"The body is larger than {limit} bytes.")


def _left(_request: Request, _error: BaseException) -> HTTPResponse:
    """The client is gone: nobody reads this, and nothing went wrong."""
    return HTTPResponse(status=CLIENT_LEFT)


def _unexpected(request: Request, error: Exception) -> HTTPResponse:
    _log.error(
        "unexpected_error",
        request_id=request_id(request),
        path=request.path,
        exc_info=error,
    )
    return _render(request, GatewayError())
