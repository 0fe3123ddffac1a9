"""The words of OpenAI's errors, by status and by cause."""

from typing import NamedTuple


class Words(NamedTuple):
    message: str
    kind: str
    param: str | None = None
    code: str | None = None
    status: int = 400


BY_STATUS = {
    400: Words(
        "We could not process your request.", "invalid_request_error", code=None, status=400
    ),
    403: Words(
        "You are not allowed to sample from this model.",
        "invalid_request_error",
        code=None,
        status=403,
    ),
    404: Words(
        "The model `{model}` does not exist or you do not have access to it.",
        "invalid_request_error",
        code="model_not_found",
        status=404,
    ),
    408: Words("The request timed out.", "timeout", code=None, status=408),
    413: Words("Request too large.", "invalid_request_error", code="request_too_large", status=413),
    422: Words(
        "The request was well-formed but could not be followed.",
        "invalid_request_error",
        code=None,
        status=422,
    ),
    429: Words(
        (
            "Rate limit reached for {model} in organization org-demo on requests per min "
            "(RPM): Limit 3, Used 3, Requested 1. Please try again in {retry_after}s. "
            "Visit https://platform.openai.com/account/rate-limits to learn more."
        ),
        "requests",
        code="rate_limit_exceeded",
        status=429,
    ),
    500: Words(
        (
            "The server had an error while processing your request. Sorry about that! "
            "Please contact us through our help center at help.openai.com if the error "
            "persists."
        ),
        "server_error",
        code=None,
        status=500,
    ),
    502: Words("Bad gateway.", "server_error", code=None, status=502),
    503: Words(
        "The engine is currently overloaded, please try again later.",
        "service_unavailable_error",
        code="engine_overloaded",
        status=503,
    ),
    504: Words("Gateway timeout.", "server_error", code=None, status=504),
    529: Words("Overloaded", "overloaded_error", code=None, status=529),
}
BY_CAUSE = {
    "ctx": Words(
        (
            "This model's maximum context length is 8192 tokens. However, your messages "
            "resulted in 9001 tokens. Please reduce the length of the messages."
        ),
        "invalid_request_error",
        "messages",
        "context_length_exceeded",
        400,
    ),
    "policy": Words(
        (
            "The response was filtered due to the prompt triggering our content "
            "management policy. Please modify your prompt and retry."
        ),
        "invalid_request_error",
        "prompt",
        "content_filter",
        400,
    ),
    "quota": Words(
        (
            "You exceeded your current quota, please check your plan and billing details."
            " For more information on this error, read the docs: "
            "https://platform.openai.com/docs/guides/error-codes/api-errors."
        ),
        "insufficient_quota",
        None,
        "insufficient_quota",
        429,
    ),
    "banned": Words(
        (
            "Your request was rejected by the safety system. If you believe this is an error, "
            "contact us at help.openai.com."
        ),
        "image_generation_user_error",
        None,
        "moderation_blocked",
        400,
    ),
    "full": Words(
        "Too many works are queued for {model}. Please try again later.",
        "requests",
        None,
        "rate_limit_exceeded",
        429,
    ),
    "noaccount": Words(
        "No capacity is available for {model}.", "service_unavailable_error", status=503
    ),
    "invalid": Words("Invalid value: 'prompt'.", "invalid_request_error", "prompt"),
    "noprefix": Words(
        (
            "The last message must have the role 'user' or 'tool': this model cannot "
            "continue from an assistant message."
        ),
        "invalid_request_error",
        "messages",
        "assistant_prefix_not_supported",
        400,
    ),
    "no_signature": Words(
        "A tool call of the assistant is refused: missing thought_signature.",
        "invalid_request_error",
        "messages",
    ),
    "bad_json": Words(
        (
            "We could not parse the JSON body of your request. (HINT: This likely means "
            "you aren't using your HTTP library correctly.)"
        ),
        "invalid_request_error",
        None,
        None,
        400,
    ),
    "no_model": Words("you must provide a model parameter", "invalid_request_error"),
    "no_key": Words(
        (
            "You didn't provide an API key. You need to provide your API key in an "
            "Authorization header using Bearer auth (i.e. Authorization: Bearer "
            "YOUR_KEY)."
        ),
        "invalid_request_error",
        None,
        None,
        401,
    ),
    "no_route": Words("Invalid URL ({path})", "invalid_request_error", None, None, 404),
}
