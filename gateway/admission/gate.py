"""The way to Redis of one process: one batch of operations is under way at a time.

An operation is sent at once when nothing is under way, with the next batch otherwise.
Failure policy: closed. An operation that Redis does not answer in time raises
``GateClosedError``; while Redis is known to be away the next ones raise at once, and a
background task looks for its return.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as LostError
from redis.exceptions import NoScriptError, RedisError

from gateway import log
from gateway.admission import script
from gateway.admission.operations import Operation, encode
from gateway.cache import refuse_cluster
from gateway.errors import UnavailableError

MAX_BATCH = 256
LOOK_AGAIN_SECONDS = 0.1
HELD_UP_SECONDS = 0.02
# Settlements wait this long for company; a lone admission never waits.
LAZY_SECONDS = 0.002

Batch = list[tuple[bytes, "asyncio.Future[script.Reply]"]]
AWAY = (RedisError, OSError, TimeoutError, UnavailableError)

_log = log.get(__name__)


class GateClosedError(UnavailableError):
    """Redis is away or was emptied and is being rebuilt."""

    message = "The gateway cannot check limits right now; try again shortly."


class Gate:
    """``join`` is asked at every new connection which epoch Redis is in, before the gate opens."""

    def __init__(
        self,
        redis: "Redis",
        timeout_seconds: float,
        join: Callable[["Gate"], Awaitable[bytes]],
    ) -> None:
        self.redis = redis
        self.run_id = ""
        self.epoch = b""
        self.is_open = False
        self._join = join
        self._timeout = timeout_seconds
        self._waiting: Batch = []
        self._pump: asyncio.Task[None] | None = None
        self._seeker: asyncio.Task[None] | None = None
        self._lazy: asyncio.TimerHandle | None = None
        self._connection: AbstractConnection | None = None
        self._patience: float | None = None
        redis.connection_pool.connection_kwargs["redis_connect_func"] = self._greet

    async def _greet(self, connection: AbstractConnection) -> None:
        """Every new connection may lead to a server that was restarted and forgot its last second.

        It is refused while the gate is open, so that we join again before we go on.
        """
        await connection.on_connect()
        if self.is_open:
            await connection.send_command("INFO", "server")
            if f"run_id:{self.run_id}".encode() not in await connection.read_response():
                message = "Redis was restarted"
                raise LostError(message)

    async def ask(self, operation: Operation) -> script.Reply:
        """Send now; raises GateClosedError when Redis does not answer in time."""
        return await self.send(operation)

    def send(self, operation: Operation) -> "asyncio.Future[script.Reply]":
        """Like ``ask``, for a caller that must see the reply even if it is cancelled."""
        if not self.is_open:
            raise GateClosedError
        future = self._enqueue(operation)
        self._start()
        return future

    def tell(self, operation: Operation) -> "asyncio.Future[script.Reply]":
        """Send with the next batch; the future fails with GateClosedError."""
        future = self._enqueue(operation)
        if not self.is_open:
            self._refuse_waiting()
        elif self._pump is None and self._lazy is None:
            self._lazy = asyncio.get_running_loop().call_later(LAZY_SECONDS, self._start)
        return future

    def _enqueue(self, operation: Operation) -> "asyncio.Future[script.Reply]":
        future: asyncio.Future[script.Reply] = asyncio.get_running_loop().create_future()
        future.add_done_callback(_retrieve)
        self._waiting.append((encode(operation), future))
        return future

    def _start(self) -> None:
        if self._lazy is not None:
            self._lazy.cancel()
            self._lazy = None
        if self._pump is None:
            self._pump = asyncio.get_running_loop().create_task(self._send_all())

    async def _send_all(self) -> None:
        try:
            while self._waiting and self.is_open:
                batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
                await self._send(batch)
        finally:
            self._pump = None
            if not self.is_open:
                self._refuse_waiting()

    async def _send(self, batch: Batch) -> None:
        replies: list[script.Reply] = []
        try:
            call = self._call_own([packed for packed, _ in batch])
            replies = await self._evaluate(asyncio.get_running_loop().create_task(call))
        except (RedisError, OSError, TimeoutError) as error:
            self._close(f"{type(error).__name__}: {error}")
            return
        finally:
            if not replies:
                _refuse(batch)
        for (_, future), reply in zip(batch, replies, strict=True):
            if not future.done():
                future.set_result(reply)
        if replies[-1][0] == b"EPOCH":
            self._close("emptied")

    async def _evaluate(self, call: "asyncio.Task[list[script.Reply]]") -> list[script.Reply]:
        """Wait for a batch; raises TimeoutError when Redis, and not this process, is late."""
        try:
            done, _ = await asyncio.wait((call,), timeout=self._timeout)
            if not done:
                # The event loop may have been held up: what has arrived meanwhile is read first.
                done, _ = await asyncio.wait((call,), timeout=HELD_UP_SECONDS)
            if not done:
                raise TimeoutError
            return call.result()
        finally:
            call.cancel()

    async def _call_own(self, packed: list[bytes]) -> list[script.Reply]:
        """On the pump's own connection: what a client does around a command costs as much again.

        Only one batch of the pump is under way at a time, so that replies stay in step.
        """
        connection = self._connection
        if connection is None:
            connection = await self.redis.connection_pool.get_connection()  # type: ignore[no-untyped-call]
            self._patience = connection.socket_timeout
            connection.socket_timeout = None  # the limit of the batch is the limit
            self._connection = connection
        replies: list[script.Reply] = []
        try:
            replies = await _run(connection, "EVALSHA", script.sha(), self.epoch, packed)
        except NoScriptError:
            replies = await _run(connection, "EVAL", script.source(), self.epoch, packed)
        finally:
            if not replies:
                # Whatever went wrong, replies and operations may be out of step from here on.
                self._connection = None
                connection.socket_timeout = self._patience
                await connection.disconnect(nowait=True)
                await self.redis.connection_pool.release(connection)
        return replies

    async def _call(self, packed: list[bytes]) -> list[script.Reply]:
        """On any connection, beside the pump."""
        try:
            return await self.redis.evalsha(script.sha(), 0, self.epoch, *packed)  # type: ignore[no-any-return]
        except NoScriptError:
            return await self.redis.eval(script.source(), 0, self.epoch, *packed)  # type: ignore[no-any-return]

    def _refuse_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        _refuse(waiting)

    def _close(self, reason: str) -> None:
        if self.is_open:
            _log.warning("redis_is_away", reason=reason)
        self.is_open = False
        if self._seeker is None:
            self._seeker = asyncio.get_running_loop().create_task(self._seek())

    async def open(self) -> None:
        """Look for Redis once; if it is away, go on looking in the background."""
        try:
            await self._look()
        except AWAY as error:
            self._close(repr(error))

    async def _seek(self) -> None:
        try:
            while not self.is_open:
                try:
                    await self._look()
                    break
                except AWAY:
                    pass
                except Exception:  # noqa: BLE001 - the gate must not stay closed for ever
                    _log.exception("joining_redis_failed")
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
            _log.info("redis_is_back")
        finally:
            self._seeker = None

    async def _look(self) -> None:
        async with asyncio.timeout(self._timeout):
            info = await self.redis.info("server")
            refuse_cluster(info)
            await self.redis.script_load(script.source())
        self.run_id = info["run_id"]
        self.epoch = await self._join(self)
        self.is_open = True

    async def run_many(self, operations: Sequence[Operation]) -> list[script.Reply]:
        """Run operations while the gate is still closed, for whoever joins an epoch."""
        try:
            call = self._call([encode(operation) for operation in operations])
            return await self._evaluate(asyncio.get_running_loop().create_task(call))
        except (RedisError, OSError, TimeoutError) as error:
            raise GateClosedError from error

    async def close(self) -> None:
        for task in (self._seeker, self._pump):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        self.is_open = False
        self._refuse_waiting()
        await self.redis.aclose()


def _refuse(batch: Batch) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(GateClosedError())


async def _run(
    connection: AbstractConnection, command: str, code: str, epoch: bytes, packed: list[bytes]
) -> list[script.Reply]:
    request = connection.pack_command(command, code, 0, epoch, *packed)
    await connection.send_packed_command(request, check_health=False)
    return await connection.read_response()  # type: ignore[no-any-return]


def run_of(epoch: bytes) -> str:
    """The server run that an epoch belongs to; an epoch is "<id>@<run id>"."""
    return epoch.decode().partition("@")[2]


def _retrieve(future: "asyncio.Future[script.Reply]") -> None:
    """A future nobody waits for any more is no reason for a warning."""
    if not future.cancelled():
        future.exception()
