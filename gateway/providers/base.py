"""What an adapter is: it builds requests and reads failures, it never sends."""

from collections.abc import Mapping
from typing import Protocol

from gateway.errors import UpstreamError
from gateway.protocols.wire import UpstreamRequest


class TargetView(Protocol):
    """What an adapter may know of where it sends to."""

    @property
    def auth_style(self) -> str: ...
    @property
    def base_url(self) -> str: ...
    @property
    def path_templates(self) -> Mapping[str, str]: ...
    @property
    def api_version(self) -> str | None: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def upstream_model(self) -> str: ...
    @property
    def secret(self) -> str: ...


class Provider(Protocol):
    """Speaks one wire protocol with every vendor that speaks it."""

    protocol: str

    def build(
        self, operation: str, target: TargetView, body: bytes, extra_headers: Mapping[str, str]
    ) -> UpstreamRequest:
        """The request for one operation, such as "chat" or "embeddings"."""
        ...

    def classify(
        self, status: int, headers: Mapping[str, str], body: bytes, secret: str
    ) -> UpstreamError:
        """What a status of 400 or above means: who is to blame, and whether to try elsewhere."""
        ...
