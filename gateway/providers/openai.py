"""Every vendor that speaks the OpenAI protocol; their differences are data on the provider."""

from collections.abc import Mapping

from gateway.protocols.wire import UpstreamRequest
from gateway.providers.addresses import address_of
from gateway.providers.base import TargetView
from gateway.providers.classify import Classifying
from gateway.providers.credentials import headers_of, parameters_of

PATHS = {
    "chat": "/chat/completions",
    "completions": "/completions",
    "embeddings": "/embeddings",
    "models": "/models",
    "moderations": "/moderations",
}
READ_ONLY = frozenset(("models",))
DEFAULT_HEADERS = {"content-type": "application/json", "accept-encoding": "identity"}


class OpenAIProvider(Classifying):
    protocol = "openai"
    auth_style = "bearer"
    prefix = "none"
    forwards = frozenset(("openai-beta", "traceparent", "tracestate"))
    takes_document_urls = False

    def build(
        self, operation: str, target: TargetView, body: bytes, extra_headers: Mapping[str, str]
    ) -> UpstreamRequest:
        parameters = parameters_of(target)
        if target.api_version:
            parameters["api-version"] = target.api_version
        return UpstreamRequest(
            address_of(operation, target, PATHS, parameters),
            headers_of(target, extra_headers, DEFAULT_HEADERS),
            body,
            "GET" if operation in READ_ONLY else "POST",
        )
