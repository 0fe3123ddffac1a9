"""The publisher thread: whoever publishes never waits, whatever state the broker is in."""

import base64
import json
import time
from collections.abc import Generator

import pytest

from gateway import queue
from gateway.cache import keys
from gateway.queue import Publisher, Queue, Task
from gateway.settings import Settings
from tests.integration.processes import wait_until
from tests.servers.redis import RedisServer

QUEUE = f"{keys.BROKER_PREFIX}bulk"


@pytest.fixture
def publisher(redis_server: RedisServer) -> Generator[Publisher]:
    settings = Settings(redis_url=redis_server.url)
    app = queue.configure(settings, socket_timeout_seconds=0.5)
    made = Publisher(app)
    made.start()
    yield made
    made.stop()
    app.close()


def publish(publisher: Publisher, count: int) -> float:
    """Seconds that the publishing took its caller."""
    started = time.perf_counter()
    for number in range(count):
        publisher.publish(Task.LEDGER_DRAIN, f"job_{number}", Queue.BULK)
    return time.perf_counter() - started


def test_every_message_arrives_with_its_id_alone(
    publisher: Publisher, redis_server: RedisServer
) -> None:
    publish(publisher, 500)
    with redis_server.client() as client:
        wait_until(lambda: client.llen(QUEUE) == 500, 10)
        message = json.loads(client.rpop(QUEUE))
    assert json.loads(base64.b64decode(message["body"]))[:2] == [["job_0"], {}]
    wait_until(lambda: publisher.sent == 500, 5)


def test_a_frozen_broker_never_blocks_who_publishes(
    publisher: Publisher, redis_server: RedisServer
) -> None:
    publish(publisher, 1)
    wait_until(lambda: publisher.sent == 1, 10)
    redis_server.pause()
    assert publish(publisher, 1000) < 0.5
    wait_until(lambda: publisher.dropped > 0, 10)
    assert publish(publisher, 1000) < 0.5
    redis_server.resume()
    wait_until(lambda: _arrives(publisher), 10)


def test_after_a_failure_the_broker_is_left_alone_for_a_while(
    publisher: Publisher, redis_server: RedisServer
) -> None:
    redis_server.stop()
    publish(publisher, 1)
    wait_until(lambda: publisher.dropped == 1, 10)
    redis_server.start()
    publish(publisher, 5)
    wait_until(lambda: publisher.dropped == 6, 1)
    wait_until(lambda: _arrives(publisher), 10)


def _arrives(publisher: Publisher) -> bool:
    before = publisher.sent
    publish(publisher, 1)
    time.sleep(0.1)
    return publisher.sent > before
