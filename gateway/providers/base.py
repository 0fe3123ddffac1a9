"""What an adapter is: it builds requests and reads failures, it never sends."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from gateway.errors import UpstreamError
from gateway.protocols.canonical import UpstreamProblem
from gateway.protocols.wire import UpstreamRequest


class TargetView(Protocol):
    """What an adapter may know of where it sends to."""

    @property
    def auth_style(self) -> str: ...
    @property
    def backend_slug(self) -> str: ...
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

    # "openai" or "anthropic"
    protocol: str
    # How its vendors want to be shown our key, unless the provider's row says otherwise.
    auth_style: str
    # How most of its vendors continue an answer from its beginning; see ``Traits.prefix``.
    prefix: str
    # Headers of the client that mean something there.
    forwards: frozenset[str]
    # Whether its vendors fetch documents from addresses.
    takes_document_urls: bool

    def build(
        self, operation: str, target: TargetView, body: bytes, extra_headers: Mapping[str, str]
    ) -> UpstreamRequest:
        """The request for one operation, such as "chat" or "embeddings"."""
        ...

    def classify(
        self,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        secret: str,
        names: Sequence[str] = (),
    ) -> UpstreamError:
        """What a status of 300 or above means: who is to blame, and whether to try elsewhere.

        ``names`` are words that the caller must not see, see ``private_names``.
        """
        ...

    def classify_event(
        self, problem: UpstreamProblem, secret: str, names: Sequence[str] = ()
    ) -> UpstreamError:
        """The same for an error that came as an event of a stream that had begun well."""
        ...
