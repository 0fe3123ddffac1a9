"""Asking a process that was just started whether it is ready."""

import http.client

from redis.exceptions import RedisError

from gateway import cache


def redis_answers(url: str) -> bool:
    """True once it takes commands; a large append-only file is loaded before that."""
    client = cache.connect(url, timeout_seconds=1)
    try:
        return bool(client.ping())
    except RedisError:
        return False
    finally:
        client.close()


def http_answers(host: str, port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(host.strip("[]"), port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
