"""The one way to a URL that a user gave: checked addresses, bounded size, bounded time.

It fails closed. Names are resolved once per hop and every address is checked; the connection
goes to exactly those addresses, so a name that changes its mind in between gains nothing.
"""

import asyncio
import re
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from gateway.errors import UnfetchableUrlError
from gateway.settings import FetchSettings
from gateway.transport import guard
from gateway.transport.guard import Guard, Refused

Resolve = Callable[[str], Sequence[str]]
"""All addresses of a host name; may block, raises OSError when there are none."""

# Bounds what all fetches of a process hold in memory together.
MAX_CONNECTIONS = 32
# Of their own: a user's slow name server must not hold up the lookup of upstreams.
RESOLVER_THREADS = 8
_HEADERS = {"User-Agent": "Sluice", "Accept-Encoding": "identity"}
_REDIRECTS = (301, 302, 303, 307, 308)
_FAILED = (aiohttp.ClientError, OSError, ValueError)

OCTETS = "application/octet-stream"
_UNTOLD = ("", OCTETS, "binary/octet-stream")
_SYNONYMS = {"image/jpg": "image/jpeg"}
_MAGIC = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    # Readers look for it in the first kilobyte, and some writers need that.
    "application/pdf": re.compile(rb".{0,1019}%PDF-", re.DOTALL),
}


@dataclass(frozen=True, slots=True)
class Fetched:
    media_type: str
    data: bytes


def resolve_with_system(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


class _CheckedResolver(AbstractResolver):
    """Gives a connection no address that has not been checked."""

    def __init__(self, checks: Guard, resolve: Resolve) -> None:
        self._guard = checks
        self._resolve = resolve
        self._threads = ThreadPoolExecutor(RESOLVER_THREADS, "fetcher-names")

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 -- aiohttp's signature
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, self._resolve, host)
        except (OSError, ValueError):
            found = []
        addresses = [ip_address(address) for address in found]
        self._guard.check(addresses, port)
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class Fetcher:
    def __init__(self, settings: FetchSettings, resolve: Resolve = resolve_with_system) -> None:
        self._settings = settings
        self._guard = Guard(settings.allowed_networks)
        self._resolver = _CheckedResolver(self._guard, resolve)
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the session; it belongs to the running event loop."""
        connector = aiohttp.TCPConnector(
            limit=MAX_CONNECTIONS,
            resolver=self._resolver,
            use_dns_cache=False,
            # Nothing of one user's fetch is left for another's.
            force_close=True,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            headers=_HEADERS,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=self._settings.connection_seconds
            ),
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
        await self._resolver.close()

    async def fetch(self, url: str, accept: frozenset[str] | None = None) -> Fetched:
        """What ``url`` points to, if its media type is one of ``accept``; None takes any.

        Raises UnfetchableUrlError, whose message names nothing but what the caller sent.
        """
        try:
            async with asyncio.timeout(self._settings.deadline_seconds):
                return await self._follow(guard.parse(url), accept)
        except Refused as refused:
            raise _unfetchable(url, refused.reason, refused.detail) from refused
        except TimeoutError as error:
            raise _unfetchable(url, "its server takes too long", type(error).__name__) from error
        except aiohttp.ClientConnectorCertificateError as error:
            reason = "the certificate of its server is not valid"
            raise _unfetchable(url, reason, type(error).__name__) from error
        except _FAILED as error:
            reason = "its server cannot be reached or breaks off"
            raise _unfetchable(url, reason, type(error).__name__) from error

    async def _follow(self, url: URL, accept: frozenset[str] | None) -> Fetched:
        for _ in range(self._settings.max_redirects + 1):
            found = await self._hop(url, accept)
            if isinstance(found, Fetched):
                return found
            url = found
        raise Refused(f"it is redirected more than {self._settings.max_redirects} times")

    async def _hop(self, url: URL, accept: frozenset[str] | None) -> Fetched | URL:
        """The content, or the URL that it is redirected to."""
        assert self._session is not None, "open() was not called"  # noqa: S101
        # A literal address never reaches the resolver.
        literal = guard.find_literal(url.raw_host or "")
        if literal is not None:
            self._guard.check([literal], url.port or 0)
        headers = {"Accept": ", ".join(sorted(accept or ["*/*"]))}
        async with self._session.get(url, headers=headers, allow_redirects=False) as response:
            if response.status in _REDIRECTS:
                return guard.parse(response.headers.get("Location", ""), base=url)
            if response.status != 200:
                raise Refused(f"its server answers with status {response.status}")
            return await self._take(response, accept)

    async def _take(
        self, response: aiohttp.ClientResponse, accept: frozenset[str] | None
    ) -> Fetched:
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Refused("its server sends it compressed, unasked")
        told = _told(response.headers.get("Content-Type", ""))
        if told is not None:
            _check_accepted(told, accept)
        data = await self._read(response)
        media_type = _recognise(told, data)
        _check_accepted(media_type, accept)
        return Fetched(media_type, data)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        max_bytes = self._settings.max_file_bytes
        too_large = Refused(f"it is larger than {max_bytes} bytes")
        if (response.content_length or 0) > max_bytes:
            raise too_large
        parts, size = [], 0
        async for part in response.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > max_bytes:
                raise too_large
        return b"".join(parts)


def _told(content_type: str) -> str | None:
    """The media type that a server names; None if it names none in earnest."""
    told = content_type.partition(";")[0].strip().lower()
    return None if told in _UNTOLD else _SYNONYMS.get(told, told)


def _recognise(told: str | None, data: bytes) -> str:
    """Raises Refused if the content is not what its server says."""
    if told is None:
        return next((name for name, magic in _MAGIC.items() if magic.match(data)), OCTETS)
    if told in _MAGIC and not _MAGIC[told].match(data):
        raise Refused(f"its content is not {told}, as its server says")
    return told


def _check_accepted(media_type: str, accept: frozenset[str] | None) -> None:
    if accept is not None and media_type not in accept:
        raise Refused(f"its type is none of {', '.join(sorted(accept))}")


def _unfetchable(url: str, reason: str, detail: str) -> UnfetchableUrlError:
    """The query is left out: it may be a signature."""
    shown = re.sub(r"//[^/?#]*@", "//", re.split(r"[?#]", url, maxsplit=1)[0])[:120]
    shown = shown.encode(errors="replace").decode()
    return UnfetchableUrlError(f"{shown} cannot be fetched: {reason}.", detail=detail)
