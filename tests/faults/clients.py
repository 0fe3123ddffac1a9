"""A process of clients that call until told to stop, and write down what they were told."""

import asyncio
import itertools
import sys
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import msgspec

CALM_SECONDS = 0.03
TIMEOUT_SECONDS = 30
BROKEN = (aiohttp.ClientError, OSError, TimeoutError)
PLAIN, STREAM, LEAVE, GONE = "plain", "stream", "leave", "gone"


class Plan(msgspec.Struct):
    """``kinds`` are taken in turns; the process ends after ``calls``, or when ``until`` exists."""

    name: str
    urls: list[str]
    key: str
    model: str
    kinds: list[str]
    concurrency: int
    calls: int
    until: str
    results: str
    starts_at: float = 0
    max_tokens: int | None = None
    # One URL after the other, or as the number of the client says.
    spread: bool = False


class Outcome(msgspec.Struct):
    """What one client saw; ``tag`` is in its prompt and its User-Agent."""

    tag: str
    url: str
    kind: str
    started: float
    seconds: float = 0
    status: int = 0
    reference: str = ""
    retry_after: str = ""
    is_complete: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    broken: str = ""
    body: str = ""


class Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int


class Answer(msgspec.Struct):
    usage: Usage | None = None


_answers = msgspec.json.Decoder(Answer)


class Clients:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._numbers = itertools.count()
        self._results = Path(plan.results).open("ab", buffering=0)  # noqa: SIM115
        self._until = Path(plan.until)

    async def run(self) -> None:
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            await asyncio.sleep(max(0, self._plan.starts_at - time.time()))
            workers = range(self._plan.concurrency)
            await asyncio.gather(*(self._work(session, worker) for worker in workers))

    async def _work(self, session: aiohttp.ClientSession, worker: int) -> None:
        plan = self._plan
        while (number := next(self._numbers)) < plan.calls and not self._until.exists():
            turn = number if plan.spread else worker
            kind = plan.kinds[number % len(plan.kinds)]
            url = plan.urls[turn % len(plan.urls)]
            outcome = Outcome(f"{plan.name}-{number}", url, kind, time.time())
            started = time.monotonic()
            try:
                await self._call(session, outcome)
            except BROKEN as error:
                outcome.broken = repr(error)
            outcome.seconds = time.monotonic() - started
            self._results.write(msgspec.json.encode(outcome) + b"\n")
            if outcome.status != 200:
                await asyncio.sleep(CALM_SECONDS)

    async def _call(self, session: aiohttp.ClientSession, outcome: Outcome) -> None:
        if outcome.kind == GONE:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    await self._send(session, outcome)
            return
        await self._send(session, outcome)

    async def _send(self, session: aiohttp.ClientSession, outcome: Outcome) -> None:
        plan = self._plan
        is_stream = outcome.kind in (STREAM, LEAVE)
        body: dict[str, object] = {
            "model": plan.model,
            "messages": [{"role": "user", "content": outcome.tag}],
            "stream": is_stream,
        }
        if is_stream:
            body["stream_options"] = {"include_usage": True}
        if plan.max_tokens is not None:
            body["max_tokens"] = plan.max_tokens
        headers = {"authorization": f"Bearer {plan.key}", "user-agent": outcome.tag}
        url = f"{outcome.url}/v1/chat/completions"
        async with session.post(url, json=body, headers=headers) as response:
            outcome.status = response.status
            outcome.reference = response.headers.get("x-request-id", "")
            outcome.retry_after = response.headers.get("retry-after", "")
            if response.status != 200:
                outcome.body = (await response.text())[:300]
            elif is_stream:
                await _read_stream(response, outcome)
            else:
                _note(outcome, await response.read())
                outcome.is_complete = True


async def _read_stream(response: aiohttp.ClientResponse, outcome: Outcome) -> None:
    async for data in _events(response):
        if data == b"[DONE]":
            outcome.is_complete = True
            return
        if b'"usage":{' in data:
            _note(outcome, data)
        if outcome.kind == LEAVE:
            response.close()
            return


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    async for line in response.content:
        if line.startswith(b"data: "):
            yield line[6:].strip()


def _note(outcome: Outcome, body: bytes) -> None:
    usage = _answers.decode(body).usage
    if usage is not None:
        outcome.prompt_tokens = usage.prompt_tokens
        outcome.completion_tokens = usage.completion_tokens


if __name__ == "__main__":
    asyncio.run(Clients(msgspec.json.decode(sys.argv[1], type=Plan)).run())
