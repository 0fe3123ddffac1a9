"""Sending requests to upstreams over one pool of connections, with a limit on every wait.

aiohttp is spoken directly: httpx's own pool is quadratic in open connections, and its
request and response types on top of aiohttp cost a quarter of a call and 8 KiB per open
stream (docs/adr/0002).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import aiohttp
from yarl import URL

from gateway.errors import UpstreamError, UpstreamInterruptedError, UpstreamTimeoutError
from gateway.protocols.wire import UpstreamRequest

_FAILED = (aiohttp.ClientError, OSError, ValueError)
_LATE = TimeoutError  # aiohttp's own time-outs are of this class too
READ_AT_ONCE = 64 * 1024
# A timer this late says that the process stood still.
STOOD_STILL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Limits:
    """How long each phase of an attempt may take, in seconds."""

    connect: float
    # The longest silence: before the first byte and between any two.
    read: float


@lru_cache(maxsize=4096)
def _url(text: str) -> URL:
    return URL(text, encoded=True)


@lru_cache(maxsize=256)
def _timeout(limits: Limits) -> aiohttp.ClientTimeout:
    # Setting up TLS belongs to connecting; waiting for a free connection does, too.
    return aiohttp.ClientTimeout(
        total=None,
        connect=2 * limits.connect,
        sock_connect=limits.connect,
        sock_read=limits.read,
    )


class UpstreamResponse:
    """An answer whose head has arrived; its body is read once."""

    __slots__ = ("_response", "_silence", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._silence: _Silence | None = None
        self.status = response.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._response.headers

    async def next_chunk(self) -> bytes:
        """What has arrived since the last turn; empty at the end of the body.

        Raises UpstreamInterruptedError on a break, UpstreamTimeoutError on a silence.
        """
        if self._silence is not None:
            self._silence.begin()
        try:
            return await self._response.content.readany()
        except _LATE as error:
            raise UpstreamTimeoutError("The provider went silent.") from error
        except _FAILED as error:
            raise UpstreamInterruptedError from error
        finally:
            if self._silence is not None:
                self._silence.end()

    async def read(self, max_bytes: int) -> bytes:
        """The whole body; raises UpstreamError beyond ``max_bytes``."""
        length = self._response.content_length
        if length is not None and length <= max_bytes:
            return await self._read_whole()
        parts, size = [], 0
        while data := await self.next_chunk():
            parts.append(data)
            size += len(data)
            if size > max_bytes:
                raise UpstreamError("The provider's answer is larger than this gateway accepts.")
        return b"".join(parts)

    async def _read_whole(self) -> bytes:
        try:
            return await self._response.read()
        except _LATE as error:
            raise UpstreamTimeoutError("The provider went silent.") from error
        except _FAILED as error:
            raise UpstreamInterruptedError from error

    def limit_silence(self, seconds: float) -> None:
        """From now on, nothing for this long is a break."""
        if self._silence is not None:
            self._silence.cancel()
        connection = self._response.connection
        if connection is not None and connection.protocol is not None:
            # aiohttp would set a timer anew for every piece that arrives.
            connection.protocol.read_timeout = None
            connection.protocol.start_timeout()
            self._silence = _Silence(self._response.content, seconds)

    def close(self) -> None:
        """Give the connection back, or cut it when the answer is not at its end."""
        if self._silence is not None:
            self._silence.cancel()
        self._response.release()


class _Silence:
    """One timer for a whole stream: it looks for how long the upstream has been waited for.

    Time in which nobody reads, because the client is slow, is not the upstream's silence.
    """

    __slots__ = ("_content", "_due", "_loop", "_seconds", "_since", "_timer")

    def __init__(self, content: aiohttp.StreamReader, seconds: float) -> None:
        self._content = content
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._since = 0.0
        self._watch(seconds)

    def _watch(self, seconds: float) -> None:
        self._due = self._loop.time() + seconds
        self._timer = self._loop.call_later(seconds, self._look)

    def begin(self) -> None:
        self._since = self._loop.time()

    def end(self) -> None:
        self._since = 0.0

    def cancel(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        waited = now - self._since if self._since else 0.0
        if waited < self._seconds:
            self._watch(self._seconds - waited)
        elif now - self._due > STOOD_STILL_SECONDS:
            # It was we who did not listen: what has come meanwhile is read first.
            self._watch(STOOD_STILL_SECONDS)
        else:
            self._content.set_exception(TimeoutError())


class Transport:
    def __init__(self, max_connections: int) -> None:
        self._max_connections = max_connections
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the pool; it belongs to the running event loop."""
        connector = aiohttp.TCPConnector(
            limit=self._max_connections, keepalive_timeout=60, ttl_dns_cache=30
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=READ_AT_ONCE,
        )

    async def send(self, request: UpstreamRequest, limits: Limits) -> UpstreamResponse:
        """Send and wait for the head of the answer.

        Raises UpstreamTimeoutError, or UpstreamError when no connection could be made or it
        broke before anything came back; both may be tried elsewhere.
        """
        assert self._session is not None, "open() was not called"  # noqa: S101
        try:
            response = await self._session.request(
                request.method,
                _url(request.url),
                data=request.body,
                headers=request.headers,
                allow_redirects=False,
                timeout=_timeout(limits),
            )
        except _LATE as error:
            raise UpstreamTimeoutError from error
        except _FAILED as error:
            raise UpstreamError("The provider could not be reached.", reason=repr(error)) from error
        return UpstreamResponse(response)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
