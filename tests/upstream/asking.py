"""Asks the simulator without a vendor's package, for tests of what is on the wire."""

from typing import Any

import httpx

from tests.upstream.client import Simulator

HELLO: list[Any] = [{"role": "user", "content": "hello there"}]
KEY = {"Authorization": "Bearer sk-test"}
ANTHROPIC_HEADERS = {"x-api-key": "sk-test", "anthropic-version": "2023-06-01"}


def post(upstream: Simulator, model: str, **body: Any) -> httpx.Response:  # noqa: ANN401
    given = {"model": model, "messages": HELLO, **body}
    url = f"{upstream.openai_url}/chat/completions"
    return httpx.post(url, json=given, headers=KEY, timeout=10, trust_env=False)


def post_message(upstream: Simulator, model: str, **body: Any) -> httpx.Response:  # noqa: ANN401
    given = {"model": model, "messages": HELLO, "max_tokens": 4096, **body}
    url = f"{upstream.anthropic_url}/v1/messages"
    return httpx.post(url, json=given, headers=ANTHROPIC_HEADERS, timeout=10, trust_env=False)


def read_stream(upstream: Simulator, model: str, **body: Any) -> tuple[list[str], str]:  # noqa: ANN401
    """The data of all events that came, and how it ended: "eof" or the name of an error."""
    given = {"model": model, "messages": HELLO, "stream": True, **body}
    frames, end = _read_frames(f"{upstream.openai_url}/chat/completions", given, KEY)
    found = [frame for frame in frames if frame.startswith("data: ")]
    return [frame.removeprefix("data: ") for frame in found], end


def read_message_stream(
    upstream: Simulator,
    model: str,
    **body: Any,  # noqa: ANN401
) -> tuple[list[tuple[str, str]], str]:
    """Names and data of all events that came, and how it ended."""
    given = {"model": model, "messages": HELLO, "max_tokens": 4096, "stream": True, **body}
    url = f"{upstream.anthropic_url}/v1/messages"
    frames, end = _read_frames(url, given, ANTHROPIC_HEADERS)
    events = [frame.split("\n") for frame in frames if frame.startswith("event: ")]
    pairs = [(name.removeprefix("event: "), data) for name, data in events]
    return [(name, data.removeprefix("data: ")) for name, data in pairs], end


def only_entry(upstream: Simulator) -> dict[str, Any]:
    upstream.wait_idle()
    (entry,) = upstream.journal()
    return entry


def _read_frames(url: str, given: dict[str, Any], headers: dict[str, str]) -> tuple[list[str], str]:
    raw, end = b"", "eof"
    try:
        with (
            httpx.Client(timeout=1, trust_env=False) as http,
            http.stream("POST", url, json=given, headers=headers) as response,
        ):
            for part in response.iter_raw():
                raw += part
    except httpx.TransportError as error:
        end = type(error).__name__
    return raw.decode().replace("\r\n", "\n").split("\n\n")[:-1], end
