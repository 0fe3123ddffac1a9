"""The guarded fetcher against real servers that lie, drip, redirect and change their address."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence

import pytest

from gateway.errors import UnfetchableUrlError
from gateway.settings import FetchSettings
from gateway.transport import Fetched, Fetcher
from gateway.transport.fetcher import resolve_with_system
from tests.stack.processes import free_port

HERE = "127.0.0.1"
ELSEWHERE = "127.0.0.2"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64
IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
SETTINGS = FetchSettings(
    max_file_bytes=100_000,
    connection_seconds=1,
    deadline_seconds=5,
    allowed_networks=(f"{HERE}/32",),
)

MISSING = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
Reply = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


class Site:
    """Answers each path with given bytes, or lets a function write; keeps what was asked."""

    def __init__(self, address: str, port: int) -> None:
        self.address = address
        self.port = port
        self.replies: dict[str, Reply] = {}
        self.connections = 0
        self.requests: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}"

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator["Site"]:
        server = await asyncio.start_server(self._serve, self.address, self.port)
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._tasks.append(asyncio.create_task(self._answer(reader, writer)))

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.requests.append(head)
                reply = self.replies.get(head.split(" ")[1], MISSING)
                if isinstance(reply, bytes):
                    writer.write(reply)
                else:
                    await reply(writer)
                await writer.drain()
            finally:
                writer.close()
                await writer.wait_closed()


def ok(data: bytes = PNG, media_type: str = "image/png", extra: str = "") -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\ncontent-length: {len(data)}\r\n"
    return f"{head}{extra}\r\n".encode() + data


def redirect(location: str, status: int = 302, extra: str = "") -> bytes:
    head = f"HTTP/1.1 {status} Moved\r\ncontent-length: 0\r\nlocation: {location}\r\n"
    return f"{head}{extra}\r\n".encode()


@pytest.fixture
async def site() -> AsyncGenerator[Site]:
    async with Site(HERE, free_port()).serving() as running:
        yield running


@pytest.fixture
async def hidden(site: Site) -> AsyncGenerator[Site]:
    """On an address that is not allowed, and on the port of the one that is."""
    async with Site(ELSEWHERE, site.port).serving() as running:
        running.replies["/a"] = ok()
        yield running


@contextlib.asynccontextmanager
async def fetching(
    settings: FetchSettings = SETTINGS, resolve: Callable[[str], Sequence[str]] | None = None
) -> AsyncIterator[Fetcher]:
    fetcher = Fetcher(settings, resolve or resolve_with_system)
    await fetcher.open()
    try:
        yield fetcher
    finally:
        await fetcher.close()


async def fetch(site: Site, reply: Reply, accept: frozenset[str] | None = IMAGES) -> Fetched:
    site.replies["/a"] = reply
    async with fetching() as fetcher:
        return await fetcher.fetch(f"{site.url}/a", accept)


async def refusal(
    url: str,
    settings: FetchSettings = SETTINGS,
    resolve: Callable[[str], Sequence[str]] | None = None,
) -> str:
    """The message with which a fetch is refused."""
    async with fetching(settings, resolve) as fetcher:
        with pytest.raises(UnfetchableUrlError) as caught:
            await fetcher.fetch(url, IMAGES)
    assert caught.value.status == 400
    return str(caught.value)


async def test_an_image_is_fetched_plainly(site: Site) -> None:
    assert await fetch(site, ok()) == Fetched("image/png", PNG)
    [head] = site.requests
    lines = {line.partition(":")[0].lower() for line in head.split("\r\n")[1:] if line}
    assert lines == {"host", "user-agent", "accept", "accept-encoding", "connection"}
    assert "Accept-Encoding: identity\r\n" in head


# What is too slow or too large


async def test_a_slow_drip_is_given_up_in_time(site: Site) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n")
        writer.write(b"transfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1\r\nx\r\n")
            await writer.drain()
            await asyncio.sleep(0.05)

    site.replies["/a"] = drip
    begun = time.monotonic()
    message = await refusal(f"{site.url}/a", SETTINGS.model_copy(update={"deadline_seconds": 0.5}))
    assert "too long" in message
    assert time.monotonic() - begun < 3


async def test_the_time_limit_is_over_all_hops(site: Site) -> None:
    async def slowly(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        writer.write(redirect("/a"))

    site.replies["/a"] = slowly
    settings = SETTINGS.model_copy(update={"deadline_seconds": 0.7, "max_redirects": 100})
    assert "too long" in await refusal(f"{site.url}/a", settings)
    assert len(site.requests) <= 3


async def test_a_name_server_that_hangs_is_given_up() -> None:
    def hang(host: str) -> list[str]:
        time.sleep(0.5)
        return [HERE]

    settings = SETTINGS.model_copy(update={"deadline_seconds": 0.1})
    assert "too long" in await refusal("http://slow.test/a", settings, hang)


async def test_a_file_that_says_it_is_too_large_is_not_read(site: Site) -> None:
    async def announce(writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 100001\r\n\r\n"
        writer.write(head + PNG)
        await writer.drain()
        await asyncio.sleep(60)

    site.replies["/a"] = announce
    assert "larger than 100000 bytes" in await refusal(f"{site.url}/a")


@pytest.mark.parametrize("framing", ["transfer-encoding: chunked", "connection: close"])
async def test_a_file_that_does_not_end_is_cut_at_the_limit(site: Site, framing: str) -> None:
    sent = 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n{framing}\r\n\r\n".encode())
        while True:
            writer.write(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")
            sent += 0x2000
            await writer.drain()

    site.replies["/a"] = flood
    assert "larger than 100000 bytes" in await refusal(f"{site.url}/a")
    assert sent < 50_000_000


async def test_a_file_of_exactly_the_limit_is_taken(site: Site) -> None:
    data = PNG + b"\0" * (SETTINGS.max_file_bytes - len(PNG))
    assert (await fetch(site, ok(data))).data == data


async def test_more_than_the_announced_length_is_never_taken(site: Site) -> None:
    with contextlib.suppress(UnfetchableUrlError):
        assert (await fetch(site, ok() + b"x" * 500_000)).data == PNG


async def test_less_than_the_announced_length_is_refused(site: Site) -> None:
    site.replies["/a"] = ok()[:-10]
    assert "breaks off" in await refusal(f"{site.url}/a")


# Types


@pytest.mark.parametrize(
    ("media_type", "data"),
    [
        ("image/png", PNG),
        ("IMAGE/JPEG; q=1", b"\xff\xd8\xff\xe0 and so on"),
        ("image/jpg", b"\xff\xd8\xff\xe0 and so on"),
        ("image/gif", b"GIF89a and so on"),
        ("image/webp", b"RIFF\n\0\0\0WEBPVP8 "),
        ("application/octet-stream", PNG),
        ("", PNG),
    ],
)
async def test_images_of_every_type_are_taken(site: Site, media_type: str, data: bytes) -> None:
    assert (await fetch(site, ok(data, media_type))).data == data


@pytest.mark.parametrize(
    ("media_type", "data"),
    [
        ("text/html", b"<html>a page about a picture</html>"),
        ("text/html", PNG),
        ("image/png", b"<html>a page that says it is a picture</html>"),
        ("image/png", b""),
        ("image/png", b"\xff\xd8\xff\xe0"),
        ("image/svg+xml", b"<svg/>"),
        ("application/pdf", b"%PDF-1.7"),
        ("application/octet-stream", b"%PDF-1.7"),
        ("application/octet-stream", b"MZ"),
        ("", b"MZ"),
    ],
)
async def test_what_is_no_accepted_image_is_refused(
    site: Site, media_type: str, data: bytes
) -> None:
    site.replies["/a"] = ok(data, media_type)
    assert "type" in (message := await refusal(f"{site.url}/a")) or "content" in message


async def test_a_document_is_recognised_behind_a_preamble(site: Site) -> None:
    data = b"\r\n" * 50 + b"%PDF-1.7\n"
    accept = frozenset({"application/pdf"})
    assert await fetch(site, ok(data, ""), accept) == Fetched("application/pdf", data)


async def test_any_type_is_taken_where_none_is_named(site: Site) -> None:
    assert (await fetch(site, ok(b"<p>", "text/html"), None)).media_type == "text/html"
    assert (await fetch(site, ok(b"MZ", ""), None)).media_type == "application/octet-stream"


async def test_what_comes_compressed_unasked_is_refused(site: Site) -> None:
    site.replies["/a"] = ok(extra="content-encoding: gzip\r\n")
    assert "compressed" in await refusal(f"{site.url}/a")


@pytest.mark.parametrize("status", [204, 206, 304, 401, 404, 500])
async def test_only_a_good_answer_is_taken(site: Site, status: int) -> None:
    site.replies["/a"] = f"HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n".encode()
    assert f"status {status}" in await refusal(f"{site.url}/a")


@pytest.mark.parametrize(
    "reply", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n"]
)
async def test_what_is_not_http_is_refused(site: Site, reply: bytes) -> None:
    site.replies["/a"] = reply
    assert "cannot be reached" in await refusal(f"{site.url}/a")


async def test_nobody_listening_is_refused() -> None:
    assert "cannot be reached" in await refusal(f"http://{HERE}:{free_port()}/a")


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed(site: Site, status: int) -> None:
    site.replies["/b/c"] = redirect("../d?x=1", status)
    site.replies["/d?x=1"] = ok()
    assert (await fetch(site, redirect(f"{site.url}/b/c", status))).data == PNG


async def test_a_redirect_takes_no_cookie_and_no_referrer_along(site: Site) -> None:
    site.replies["/b"] = ok()
    await fetch(site, redirect("/b", extra="set-cookie: a=b; path=/\r\n"))
    for head in site.requests:
        assert "cookie" not in head.lower()
        assert "referer" not in head.lower()


async def test_a_redirect_in_a_circle_ends(site: Site) -> None:
    site.replies["/a"] = redirect("/a")
    assert "more than 3 times" in await refusal(f"{site.url}/a")
    assert len(site.requests) == 4


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.2:{port}/a",
        "//127.0.0.2:{port}/a",
        "http://[::ffff:127.0.0.2]:{port}/a",
        "http://[::127.0.0.2]:{port}/a",
        "http://2130706434:{port}/a",
        "http://127.2:{port}/a",
        "http://0x7f.0.0.2:{port}/a",
        "http://user:secret@127.0.0.1:{port}/a",
        "file:///etc/passwd",
        "http://[::1/",
        "",
    ],
)
async def test_every_redirect_is_checked_anew(site: Site, hidden: Site, location: str) -> None:
    site.replies["/a"] = redirect(location.format(port=site.port))
    message = await refusal(f"{site.url}/a")
    assert "127.0.0.2" not in message
    assert hidden.connections == 0


# Addresses and names


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.2",
        "localhost",
        "[::ffff:127.0.0.2]",
        "127.2",
        "2130706434",
        "0x7f000002",
        "127.0.0.2.",
    ],
)
async def test_an_address_that_is_not_allowed_is_never_connected_to(
    site: Site, hidden: Site, host: str
) -> None:
    nothing_allowed = SETTINGS.model_copy(update={"allowed_networks": ()})
    await refusal(f"http://{host}:{site.port}/a", nothing_allowed)
    assert (site.connections, hidden.connections) == (0, 0)


async def test_a_name_is_looked_up_once_and_keeps_its_place_in_the_request(site: Site) -> None:
    asked: list[str] = []

    def resolve(host: str) -> list[str]:
        asked.append(host)
        return [HERE]

    site.replies["/a"] = ok()
    async with fetching(resolve=resolve) as fetcher:
        fetched = await fetcher.fetch(f"http://pictures.test:{site.port}/a", IMAGES)
    assert fetched.data == PNG
    assert asked == ["pictures.test"]
    assert f"Host: pictures.test:{site.port}\r\n" in site.requests[0]


async def test_a_name_that_changes_its_address_gains_nothing(site: Site, hidden: Site) -> None:
    answers = iter([[HERE], [ELSEWHERE], [ELSEWHERE]])
    site.replies["/a"] = redirect("/a")
    message = await refusal(
        f"http://rebinding.test:{site.port}/a", resolve=lambda host: next(answers)
    )
    assert "no public address" in message
    assert (site.connections, hidden.connections) == (1, 0)


async def test_a_name_with_one_private_address_is_refused(site: Site, hidden: Site) -> None:
    message = await refusal(
        f"http://mixed.test:{site.port}/a", resolve=lambda host: [HERE, ELSEWHERE]
    )
    assert "no public address" in message
    assert (site.connections, hidden.connections) == (0, 0)


async def test_private_names_and_missing_names_are_refused_in_the_same_words() -> None:
    def missing(host: str) -> list[str]:
        raise OSError(host)

    private = await refusal("http://redis.internal/a", resolve=lambda host: ["10.0.0.7"])
    assert private == await refusal("http://redis.internal/a", resolve=missing)
    assert "10.0.0.7" not in private


async def test_the_log_is_told_which_address_was_refused() -> None:
    async with fetching(resolve=lambda host: ["10.0.0.7"]) as fetcher:
        with pytest.raises(UnfetchableUrlError) as caught:
            await fetcher.fetch("http://redis.internal/a")
    assert caught.value.context == {"detail": "10.0.0.7"}


@pytest.mark.parametrize("port", [22, 25, 6379])
async def test_odd_ports_of_public_hosts_are_refused_before_connecting(port: int) -> None:
    message = await refusal(f"http://public.test:{port}/", resolve=lambda host: ["8.8.8.8"])
    assert "port" in message


async def test_user_names_and_queries_are_not_repeated() -> None:
    message = await refusal("http://user:secret@example.test/a?signature=s3cret#x")
    assert message.startswith("http://example.test/a cannot be fetched: it holds a user name")


async def test_proxies_of_the_environment_are_not_used(
    site: Site, hidden: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, hidden.url)
    monkeypatch.delenv("no_proxy", raising=False)
    assert (await fetch(site, ok())).data == PNG
    assert hidden.connections == 0
