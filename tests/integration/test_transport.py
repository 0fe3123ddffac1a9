"""The transport against a real upstream that refuses, hangs, cuts and goes silent."""

import asyncio
import json
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from gateway.errors import Blame, UpstreamError, UpstreamInterruptedError, UpstreamTimeoutError
from gateway.protocols.wire import UpstreamRequest
from gateway.transport import Limits, Transport, UpstreamResponse
from tests.stack.processes import free_port
from tests.upstream.client import Simulator

PATIENT = Limits(connect=5, read=20)
HASTY = Limits(connect=5, read=0.3)


@pytest.fixture
def simulator(tmp_path: Path) -> Generator[Simulator]:
    with Simulator.start(tmp_path) as running:
        yield running


@pytest.fixture
async def transport() -> AsyncGenerator[Transport]:
    opened = Transport(max_connections=64)
    await opened.open()
    yield opened
    await opened.close()


def request(simulator: Simulator, model: str, *, stream: bool = False) -> UpstreamRequest:
    body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
    headers = {"authorization": "Bearer sk-up", "content-type": "application/json"}
    return UpstreamRequest(
        f"{simulator.openai_url}/chat/completions", headers, json.dumps(body).encode()
    )


async def read_to_the_end(response: UpstreamResponse) -> None:
    while await response.next_chunk():
        pass


async def test_a_plain_answer_is_read_whole(simulator: Simulator, transport: Transport) -> None:
    response = await transport.send(request(simulator, "sim"), PATIENT)
    assert response.status == 200
    assert json.loads(await response.read(1_000_000))["choices"]


async def test_an_answer_beyond_the_bound_is_refused(
    simulator: Simulator, transport: Transport
) -> None:
    response = await transport.send(request(simulator, "sim-n100-s1000"), PATIENT)
    with pytest.raises(UpstreamError, match="larger"):
        await response.read(1000)
    response.close()


async def test_nobody_listening_is_an_upstream_error(transport: Transport) -> None:
    with pytest.raises(UpstreamError) as caught:
        await transport.send(
            UpstreamRequest(f"http://127.0.0.1:{free_port()}/x", {}, b"{}"), PATIENT
        )
    assert caught.value.blame is Blame.BACKEND


async def test_a_silent_upstream_is_given_up(simulator: Simulator, transport: Transport) -> None:
    with pytest.raises(UpstreamTimeoutError):
        await transport.send(request(simulator, "sim-hang"), HASTY)


async def test_a_reset_before_the_first_byte_is_an_upstream_error(
    simulator: Simulator, transport: Transport
) -> None:
    with pytest.raises(UpstreamError):
        await transport.send(request(simulator, "sim-refuse"), PATIENT)


@pytest.mark.parametrize("fault", ["k3", "c3"])
async def test_a_cut_stream_is_an_interruption(
    simulator: Simulator, transport: Transport, fault: str
) -> None:
    response = await transport.send(request(simulator, f"sim-n9-{fault}", stream=True), PATIENT)
    with pytest.raises(UpstreamInterruptedError):
        await read_to_the_end(response)
    response.close()


async def test_silence_has_a_limit_of_its_own_once_the_stream_has_begun(
    simulator: Simulator, transport: Transport
) -> None:
    response = await transport.send(request(simulator, "sim-n9-q3", stream=True), PATIENT)
    response.limit_silence(0.2)
    with pytest.raises(UpstreamTimeoutError):
        await read_to_the_end(response)
    response.close()


async def test_leaving_ends_the_stream_upstream(simulator: Simulator, transport: Transport) -> None:
    response = await transport.send(request(simulator, "sim-n500-d5", stream=True), PATIENT)
    assert await response.next_chunk()
    response.close()
    await asyncio.to_thread(simulator.wait_idle)
    [entry] = simulator.journal()
    assert entry["client_gone"]


async def test_cancelled_requests_do_not_mix_up_answers(
    simulator: Simulator, transport: Transport
) -> None:
    async def ask(number: int) -> None:
        response = await transport.send(request(simulator, f"sim-m{number}-t5"), PATIENT)
        assert json.loads(await response.read(100_000))["model"] == f"sim-m{number}-t5"

    tasks = [asyncio.create_task(ask(number)) for number in range(200)]
    await asyncio.sleep(0.01)
    for task in tasks[::3]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    failures = [o for o in outcomes if isinstance(o, Exception)]
    assert failures == []
