"""Expected errors: one tree, each with a stable code, a status and a text for the caller."""

from enum import StrEnum
from http import HTTPStatus
from typing import ClassVar


class Blame(StrEnum):
    """Whose fault a failed attempt is; decides what happens to health."""

    CALLER = "caller"
    KEY = "key"
    BACKEND = "backend"
    MODEL = "model"


class GatewayError(Exception):
    """Base of expected errors: shown to the caller, counted, never paged on."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    kind: ClassVar[str] = "server_error"
    message: ClassVar[str] = "Something went wrong in the gateway."

    def __init__(
        self, message: str | None = None, *, param: str | None = None, **context: object
    ) -> None:
        super().__init__(message or self.message)
        self.param = param
        self.retry_after_seconds: float | None = None
        # unit ("r" requests, "t" tokens) → limit, remaining, seconds to its reset
        self.rate_limits: dict[str, tuple[str, str, float]] = {}
        # What limits of tokens ("t") or nanos ("n") have left, if it was they that refused.
        self.left: dict[str, int] = {}
        self.context = context  # goes to the log, never to the caller

    def with_retry_after(self, seconds: float) -> "GatewayError":
        self.retry_after_seconds = seconds
        return self


class InvalidRequestError(GatewayError):
    code = "invalid_request"
    status = HTTPStatus.BAD_REQUEST
    kind = "invalid_request_error"
    message = "The request is not valid."


class ContextLengthError(InvalidRequestError):
    code = "context_length_exceeded"
    message = "The request does not fit into the context of the model."


class UnfetchableUrlError(InvalidRequestError):
    code = "url_not_fetchable"
    message = "A URL in the request cannot be fetched."


class ThreadsUnsupportedError(InvalidRequestError):
    """Conversations are not kept here; SDKs that would like it send everything then."""

    code = "thread_unsupported_request"
    message = "Message threads are not supported: send the whole conversation."


class RequestTooLargeError(GatewayError):
    code = "request_too_large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    kind = "invalid_request_error"
    message = "The request body is larger than this gateway accepts."


class InvalidApiKeyError(GatewayError):
    code = "invalid_api_key"
    status = HTTPStatus.UNAUTHORIZED
    kind = "authentication_error"
    message = "The API key is missing, unknown, disabled or expired."


class PermissionDeniedError(GatewayError):
    code = "permission_denied"
    status = HTTPStatus.FORBIDDEN
    kind = "permission_error"
    message = "This API key may not do that."


class ModelNotAllowedError(PermissionDeniedError):
    code = "model_not_allowed"
    message = "This API key may not use that model."


class AddressNotAllowedError(PermissionDeniedError):
    code = "address_not_allowed"
    message = "This API key may not be used from that address."


class OutsideTimeRangeError(PermissionDeniedError):
    code = "outside_time_range"
    message = "This API key may not be used at this time of day."


class NotFoundError(GatewayError):
    code = "not_found"
    status = HTTPStatus.NOT_FOUND
    kind = "invalid_request_error"
    message = "There is no such thing here."


class ModelNotFoundError(NotFoundError):
    code = "model_not_found"
    message = "There is no such model, or it is not enabled."


class MethodNotAllowedError(GatewayError):
    code = "method_not_allowed"
    status = HTTPStatus.METHOD_NOT_ALLOWED
    kind = "invalid_request_error"
    message = "This address does not answer that method."


class RateLimitedError(GatewayError):
    code = "rate_limit_exceeded"
    status = HTTPStatus.TOO_MANY_REQUESTS
    kind = "rate_limit_error"
    message = "Too many requests; wait for the time named in Retry-After."


class InsufficientQuotaError(GatewayError):
    code = "insufficient_quota"
    status = HTTPStatus.TOO_MANY_REQUESTS
    kind = "insufficient_quota"
    message = "The remaining allowance does not cover this request."


class ModelNotSellableError(GatewayError):
    code = "model_not_sellable"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    message = "The operator has not set a price for this model yet."


class UnavailableError(GatewayError):
    """Something the gateway itself needs is away; trying again later is right."""

    code = "temporarily_unavailable"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    message = "The gateway cannot serve this request right now; try again shortly."

    def __init__(self, message: str | None = None, **context: object) -> None:
        super().__init__(message, param=None, **context)
        self.retry_after_seconds = 1.0


class OverloadedError(UnavailableError):
    code = "overloaded"
    message = "The gateway is busy; try again shortly."


class NoBackendError(UnavailableError):
    code = "no_backend_available"
    message = "No backend can serve this model right now; try again shortly."


class BackendsFullError(NoBackendError):
    """The backends are well and at work for others: their limits are reached, not the caller's."""

    code = "backends_full"
    status = HTTPStatus.TOO_MANY_REQUESTS
    kind = "rate_limit_error"
    message = "Every backend of this model is at its limit of open requests; try again shortly."


class UpstreamError(GatewayError):
    """An attempt at a backend failed; the adapter says what it means, the relay what to do."""

    code = "upstream_error"
    status = HTTPStatus.BAD_GATEWAY
    message = "The model's provider failed to answer properly."

    def __init__(
        self,
        message: str | None = None,
        *,
        blame: Blame = Blame.BACKEND,
        upstream_status: int | None = None,
        param: str | None = None,
        **context: object,
    ) -> None:
        super().__init__(message, param=param, **context)
        self.blame = blame
        self.upstream_status = upstream_status


class UpstreamTimeoutError(UpstreamError):
    code = "upstream_timeout"
    status = HTTPStatus.GATEWAY_TIMEOUT
    message = "The model's provider did not answer in time."


class UpstreamInterruptedError(UpstreamError):
    code = "upstream_interrupted"
    message = "The model's provider broke off in the middle of the answer."


class UpstreamRejectedError(UpstreamError):
    """The provider refused what the caller asked for, with a reason the caller should see."""

    code = "upstream_rejected"
    status = HTTPStatus.BAD_REQUEST
    kind = "invalid_request_error"
    message = "The model's provider refused the request."


class UpstreamContextLengthError(UpstreamRejectedError):
    code = ContextLengthError.code
    message = ContextLengthError.message


class UpstreamContentPolicyError(UpstreamRejectedError):
    code = "content_filter"
    message = "The model's provider refused the content of the request."


class UpstreamRateLimitedError(UpstreamError):
    code = "upstream_rate_limited"
    status = HTTPStatus.TOO_MANY_REQUESTS
    kind = "rate_limit_error"
    message = "The model's provider limits the rate of requests; try again shortly."
