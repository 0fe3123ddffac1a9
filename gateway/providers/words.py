"""The codes and phrases by which vendors say the same thing, each in his own way.

All lower case. Codes are compared as a whole, phrases are looked for in the message.
"""

CONTEXT_CODES = frozenset(
    (
        "context_length_exceeded",
        "context_window_exceeded",
        "exceed_context_size_error",
        "model_context_window_exceeded",
    )
)
CONTEXT_PHRASES = (
    "maximum context length",
    "maximum prompt length",
    "prompt is too long",
    "prompt too long",
    "input is too long",
    "input length exceeds",
    "range of input length should be",
    "exceeds the context window",
    "exceed context limit",
    "exceeds the available context size",
    "exceeds the maximum number of tokens",
    "exceeds the model's context",
    "exceeded model token limit",
    "exceeds model context",
    "reduce the length of the messages",
    "too large for model with",
    "tokens + `max_new_tokens` must be",
)

POLICY_CODES = frozenset(
    (
        "1301",
        "content_filter",
        "content_policy_violation",
        "data_inspection_failed",
        "datainspectionfailed",
        "moderation_blocked",
        "responsibleaipolicyviolation",
    )
)
POLICY_PHRASES = (
    "content exists risk",
    "content filtering policy",
    "content management policy",
    "input was flagged",
    "inappropriate content",
    "rejected by the safety system",
    "violates our usage policy",
)

# Our account there: the key, its rights, its money.
ACCOUNT_CODES = frozenset(
    (
        "1113",
        "account_deactivated",
        "account_suspended",
        "arrearage",
        "authentication_error",
        "billing_error",
        "billing_hard_limit_reached",
        "billing_not_active",
        "exceeded_current_quota_error",
        "insufficient_balance",
        "insufficient_quota",
        "invalid_api_key",
        "invalid_authentication_error",
        "permission_error",
    )
)
ACCOUNT_PHRASES = (
    "api key not valid",
    "billing hard limit",
    "credit balance is too low",
    "insufficient balance",
    "organization has been disabled",
    "reached your specified api usage limits",
)

LIMIT_CODES = frozenset(("rate_limit_error", "rate_limit_exceeded", "rate_limit_reached_error"))

MODEL_CODES = frozenset(
    ("deploymentnotfound", "model_decommissioned", "model_not_available", "model_not_found")
)
MODEL_PHRASES = ("model not exist", "model does not exist", "no such model", "unknown model")
# Only behind a 404: elsewhere they speak of something in the request.
MISSING_PHRASES = ("model:", "model ", "deployment ", "engine ")
