"""An open stream holds no database session: however many there are, others find the database."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from tests.servers.redis import RedisServer
from tests.stack import Stack

GATE = "open"
MODELS = {"chat": {}, "held": {"upstream": f"sim-chat-n10-gate{GATE}.3"}}
STREAMS = 40
MESSAGES = [{"role": "user", "content": "hello"}]
OTHER_KEY = "sk-another-0123456789abcdef"


@pytest.fixture
def stack(postgres_url: str, redis_server: RedisServer, state_dir: Path) -> Generator[Stack]:
    one_session = {"SLUICE_DATABASE__POOL_SIZE": "1"}
    with Stack.start(
        postgres_url, redis_server, state_dir, models=MODELS, environment=one_session
    ) as running:
        yield running


def long_transactions(stack: Stack) -> int:
    """Sessions of the API that have been in one transaction for longer than any of its units."""
    with stack.database.snapshot() as session:
        query = text(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'sluice-api%'"
            " AND datname = current_database() AND xact_start < now() - interval '1 second'"
        )
        return int(session.execute(query).scalar_one())


def is_idle(stack: Stack) -> bool:
    """Whether no session of the API is in use at this moment; its keeper's are short."""
    with stack.database.snapshot() as session:
        query = text(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'sluice-api%'"
            " AND datname = current_database() AND state <> 'idle'"
        )
        return not session.execute(query).scalar_one()


def test_no_database_session_is_in_use_while_streams_are_open(stack: Stack) -> None:
    with ExitStack() as exits, ThreadPoolExecutor(STREAMS) as pool:
        client = exits.enter_context(
            httpx.Client(
                base_url=stack.url,
                headers=dict(stack.http().headers),
                timeout=60,
                trust_env=False,
                limits=httpx.Limits(max_connections=STREAMS),
            )
        )
        body = {"model": "held", "messages": MESSAGES, "stream": True}
        reading = [pool.submit(read_stream, client, body) for _ in range(STREAMS)]
        stack.simulator.gate(GATE, waiting=STREAMS)
        stack.wait_for(lambda: is_idle(stack))
        assert long_transactions(stack) == 0
        # Both need the API's only session: a key and a model that it has never seen.
        stack.apply(
            {
                "users": [
                    {"email": "other@example.com", "keys": [{"name": "k", "key": OTHER_KEY}]},
                ]
            }
        )
        stack.add_model("new")
        with stack.http(OTHER_KEY) as other:
            answer = other.post("/v1/chat/completions", json={"model": "new", "messages": MESSAGES})
        assert answer.status_code == 200
        stack.wait_for(lambda: stack.open_holds() == STREAMS)
        assert long_transactions(stack) == 0
        stack.simulator.open_gate(GATE)
        assert all(done.result() for done in reading)
    stack.wait_settled(STREAMS + 1)
    assert stack.differences() == []


def read_stream(client: httpx.Client, body: dict[str, object]) -> bool:
    with client.stream("POST", "/v1/chat/completions", json=body) as response:
        return response.status_code == 200 and "data: [DONE]" in list(response.iter_lines())
