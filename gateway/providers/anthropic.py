"""Every vendor that speaks the Anthropic protocol."""

from collections.abc import Mapping

from gateway.protocols.wire import UpstreamRequest
from gateway.providers.addresses import address_of
from gateway.providers.base import TargetView
from gateway.providers.classify import Classifying
from gateway.providers.credentials import headers_of, parameters_of

PATHS = {
    "chat": "/messages",
    "count_tokens": "/messages/count_tokens",
    "models": "/models",
}
READ_ONLY = frozenset(("models",))
VERSION = "2023-06-01"
DEFAULT_HEADERS = {"content-type": "application/json", "accept-encoding": "identity"}


class AnthropicProvider(Classifying):
    protocol = "anthropic"
    auth_style = "x-api-key"
    prefix = "message"
    forwards = frozenset(("anthropic-beta", "anthropic-version", "traceparent", "tracestate"))
    takes_document_urls = True

    def build(
        self, operation: str, target: TargetView, body: bytes, extra_headers: Mapping[str, str]
    ) -> UpstreamRequest:
        defaults = {**DEFAULT_HEADERS, "anthropic-version": target.api_version or VERSION}
        return UpstreamRequest(
            address_of(operation, target, PATHS, parameters_of(target)),
            headers_of(target, extra_headers, defaults),
            body,
            "GET" if operation in READ_ONLY else "POST",
        )
