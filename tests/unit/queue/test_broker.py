"""Which broker a configuration means."""

import pytest

from gateway.queue import broker_url
from gateway.settings import Settings


@pytest.mark.parametrize(
    ("redis_url", "expected"),
    [
        ("redis://cache:6379/2", "redis://cache:6379/2"),
        ("rediss://cache:6379/0", "rediss://cache:6379/0"),
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock?virtual_host=0"),
        ("unix:///run/redis.sock?db=3", "redis+socket:///run/redis.sock?virtual_host=3"),
    ],
)
def test_the_redis_of_everything_else_is_the_broker(redis_url: str, expected: str) -> None:
    assert broker_url(Settings(redis_url=redis_url)) == expected


def test_a_broker_of_its_own_wins() -> None:
    settings = Settings(redis_url="redis://cache", broker_url="amqp://rabbit")
    assert broker_url(settings) == "amqp://rabbit"
