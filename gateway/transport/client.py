"""Sending requests to upstreams over one pool of connections.

httpx's own pool is quadratic in open connections and cannot carry streams, so its request
and response types run over the aiohttp transport, called below httpx's client.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from gateway.errors import UpstreamError, UpstreamInterruptedError, UpstreamTimeoutError
from gateway.protocols.wire import UpstreamRequest

_FAILED = (httpx.HTTPError, aiohttp.ClientError, OSError)
_LATE = (httpx.TimeoutException, TimeoutError)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long each phase of an attempt may take, in seconds."""

    connect: float
    first_byte: float
    idle: float


class UpstreamResponse:
    """An answer whose head has arrived; its body is read once."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers

    async def chunks(self) -> AsyncGenerator[bytes]:
        """What has arrived since the last turn; raises UpstreamInterruptedError on a break."""
        try:
            async for data in self._response.stream:  # type: ignore[union-attr]
                yield data
        except _LATE as error:
            raise UpstreamTimeoutError("The provider went silent.") from error
        except _FAILED as error:
            raise UpstreamInterruptedError from error

    async def read(self, max_bytes: int) -> bytes:
        """The whole body; raises UpstreamError beyond ``max_bytes``."""
        parts, size = [], 0
        async for data in self.chunks():
            parts.append(data)
            size += len(data)
            if size > max_bytes:
                raise UpstreamError("The provider's answer is larger than this gateway accepts.")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def aclose(self) -> None:
        """Give the connection back, or cut it when the answer is not at its end."""
        with suppress(*_FAILED):
            await self._response.aclose()


class Transport:
    def __init__(self, max_connections: int) -> None:
        self._max_connections = max_connections
        self._transport: AiohttpTransport | None = None

    async def open(self) -> None:
        """Make the pool; it belongs to the running event loop."""
        connector = aiohttp.TCPConnector(
            limit=self._max_connections,
            ssl=httpx.create_ssl_context(),
            keepalive_timeout=60,
            ttl_dns_cache=30,
        )
        session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        )
        self._transport = AiohttpTransport(client=session)

    async def send(self, request: UpstreamRequest, limits: Limits) -> UpstreamResponse:
        """Send and wait for the head of the answer.

        Raises UpstreamTimeoutError, or UpstreamError when no connection could be made or it
        broke before anything came back; both may be tried elsewhere.
        """
        assert self._transport is not None, "open() was not called"  # noqa: S101
        outgoing = httpx.Request(
            request.method,
            request.url,
            headers=request.headers,
            content=request.body,
            extensions={
                "timeout": {
                    "connect": limits.connect,
                    "read": max(limits.idle, limits.first_byte),
                    "pool": limits.connect,
                }
            },
        )
        try:
            async with asyncio.timeout(limits.first_byte):
                response = await self._transport.handle_async_request(outgoing)
        except _LATE as error:
            raise UpstreamTimeoutError from error
        except _FAILED as error:
            raise UpstreamError("The provider could not be reached.", reason=repr(error)) from error
        return UpstreamResponse(response)

    async def close(self) -> None:
        if self._transport is not None:
            await self._transport.aclose()
