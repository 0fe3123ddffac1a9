"""The words of Anthropic's errors, by status and by cause."""

from typing import NamedTuple

INVALID = "invalid_request_error"


class Words(NamedTuple):
    kind: str
    message: str
    status: int = 400


BY_STATUS = {
    400: Words(INVALID, "We could not process your request."),
    401: Words("authentication_error", "invalid x-api-key", 401),
    402: Words("billing_error", "There is an issue with your billing.", 402),
    403: Words(
        "permission_error", "Your API key does not have permission to use this resource.", 403
    ),
    404: Words("not_found_error", "model: {model}", 404),
    413: Words("request_too_large", "Request exceeds the maximum size", 413),
    429: Words(
        "rate_limit_error",
        (
            "This request would exceed your organization's rate limit of 50 requests per minute."
            " Please try again in {retry_after} seconds."
        ),
        429,
    ),
    500: Words("api_error", "Internal server error", 500),
    504: Words("timeout_error", "Request timed out.", 504),
    529: Words("overloaded_error", "Overloaded", 529),
}
BY_CAUSE = {
    "ctx": Words(INVALID, "prompt is too long: 200481 tokens > 200000 maximum"),
    "policy": Words(INVALID, "Output blocked by content filtering policy"),
    "quota": Words(
        INVALID,
        (
            "Your credit balance is too low to access the Anthropic API. Please go to Plans &"
            " Billing to upgrade or purchase credits."
        ),
    ),
    "noprefix": Words(
        INVALID,
        (
            "This model does not support assistant message prefill. The conversation must end"
            " with a user message."
        ),
    ),
    "bad_json": Words(INVALID, "The request body is not valid JSON."),
    "no_model": Words(INVALID, "model: Field required"),
    "no_version": Words(INVALID, "anthropic-version: header is required"),
    "no_key": Words("authentication_error", "x-api-key header is required", 401),
    "bad_key": Words("authentication_error", "invalid x-api-key", 401),
    "no_route": Words("not_found_error", "Not Found", 404),
}


def find_words(cause: int | str) -> Words:
    if isinstance(cause, str):
        return BY_CAUSE[cause]
    if found := BY_STATUS.get(cause):
        return found
    return Words("api_error" if cause >= 500 else INVALID, f"Error {cause}.", cause)
