"""Every vendor that speaks the OpenAI protocol; their differences are data on the provider."""

import math
from collections.abc import Mapping

from gateway.errors import (
    Blame,
    UpstreamContextLengthError,
    UpstreamError,
    UpstreamRateLimitedError,
    UpstreamRejectedError,
)
from gateway.protocols.errors import clean, read_upstream_error
from gateway.protocols.wire import UpstreamRequest
from gateway.providers.base import TargetView

PATHS = {
    "chat": "/chat/completions",
    "embeddings": "/embeddings",
    "models": "/models",
}
# The caller asked for something the vendor will not do, wherever it is sent.
CALLERS_FAULT = frozenset((400, 404, 405, 409, 413, 415, 422))
SECRET_STATUS = frozenset((401, 403))
OUT_OF_MONEY = "insufficient_quota"
CONTEXT_CODE = "context_length_exceeded"
MODEL_MISSING = "model_not_found"
LONGEST_WAIT_SECONDS = 3600.0


class OpenAIProvider:
    protocol = "openai"

    def build(
        self, operation: str, target: TargetView, body: bytes, extra_headers: Mapping[str, str]
    ) -> UpstreamRequest:
        template = target.path_templates.get(operation, PATHS[operation])
        url = target.base_url + template.replace("{model}", target.upstream_model)
        headers = {
            "content-type": "application/json",
            "accept-encoding": "identity",
            **target.headers,
            **extra_headers,
        }
        parameters = {"api-version": target.api_version} if target.api_version else {}
        _authenticate(target, headers, parameters)
        if parameters:
            url += "?" + "&".join(f"{name}={value}" for name, value in parameters.items())
        return UpstreamRequest(url, headers, body)

    def classify(
        self, status: int, headers: Mapping[str, str], body: bytes, secret: str
    ) -> UpstreamError:
        problem = read_upstream_error(status, body)
        message = clean(problem.message, (secret,) if secret else ())
        if status in SECRET_STATUS or problem.code == OUT_OF_MONEY:
            return UpstreamError(blame=Blame.KEY, upstream_status=status, vendor=message)
        if status == 429:
            limited = UpstreamRateLimitedError(blame=Blame.KEY, upstream_status=status)
            limited.retry_after_seconds = retry_after(headers)
            return limited
        if status == 404 and problem.code == MODEL_MISSING:
            return UpstreamError(blame=Blame.MODEL, upstream_status=status, vendor=message)
        if status in CALLERS_FAULT:
            is_too_long = problem.code == CONTEXT_CODE
            rejected = UpstreamContextLengthError if is_too_long else UpstreamRejectedError
            return rejected(
                message,
                blame=Blame.CALLER,
                failover=False,
                upstream_status=status,
                vendor_code=problem.code,
                param=problem.param,
            )
        return UpstreamError(upstream_status=status, vendor=message)


def _authenticate(target: TargetView, headers: dict[str, str], parameters: dict[str, str]) -> None:
    style = target.auth_style
    if style == "bearer":
        headers["authorization"] = f"Bearer {target.secret}"
    elif style.startswith("query:"):
        parameters[style.removeprefix("query:")] = target.secret
    elif style != "none":
        headers[style] = target.secret


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds named by ``Retry-After``, an hour at most; dates are not used by vendors we know."""
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return min(max(0.0, seconds), LONGEST_WAIT_SECONDS) if math.isfinite(seconds) else None
