"""Takes a request from the socket through journal, key, faults and vendor to its delivery."""

import asyncio
import logging
from dataclasses import replace
from typing import Any

import msgspec
from aiohttp import web

from tests.upstream import control
from tests.upstream.delivery import deliver
from tests.upstream.exchange import Exchange
from tests.upstream.faults import NO_FAULT, Fault
from tests.upstream.reply import Call, Reply
from tests.upstream.routes import Route, find_route
from tests.upstream.world import World

CUT_JSON = b'{"id":"chatcmpl-sim","object":"chat.completion","choices":[{"index":0,"mess'
HTML_PAGE = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body>Hello.</body></html>"
BROKEN_BODIES = {
    "badjson": Reply(CUT_JSON, is_answer=False),
    "html": Reply(HTML_PAGE, content_type="text/html; charset=utf-8", is_answer=False),
    "empty": Reply(b"", is_answer=False),
}
CAUSES = ("ctx", "policy", "quota")


class Simulator:
    def __init__(self, world: World) -> None:
        self.world = world

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if path.startswith(("/__control", "/__journal")):
            return await control.handle(self.world, request)
        if path == "/health":
            return web.json_response({"status": "ok"})
        journal = self.world.journal
        entry = journal.begin(request.method, path, request.headers)
        exchange = Exchange(request, entry, NO_FAULT, self.world.gates)
        try:
            return await self._serve(exchange)
        except ConnectionError:
            entry.client_gone = not exchange.is_cut
            return web.Response()
        except asyncio.CancelledError:
            entry.client_gone = not exchange.is_cut
            raise
        finally:
            journal.finish(entry)

    async def _serve(self, exchange: Exchange) -> web.StreamResponse:
        entry = exchange.entry
        is_anthropic = "anthropic-version" in entry.headers
        route, model = find_route(entry.method, entry.path, is_anthropic=is_anthropic)
        entry.vendor = route.vendor.name
        call = await self._receive(exchange, route, model)
        if (refusal := self._check(exchange, route, call)) is not None:
            return await deliver(exchange, refusal, route.vendor.error_event(call))
        exchange.fault = entry.fault = self.world.find_fault(call.model, entry.path, entry.key)
        call = replace(call, fault=exchange.fault)
        if not await exchange.before_first_byte():
            return web.Response()
        reply = find_failure(route, call) or find_broken_body(call.fault) or answer(route, call)
        return await deliver(exchange, reply, route.vendor.error_event(call))

    async def _receive(self, exchange: Exchange, route: Route, model: str) -> Call:
        """Read and decode the body; the request is counted even if it never arrives whole."""
        entry, request = exchange.entry, exchange.request
        body: Any = {}
        try:
            if request.can_read_body:
                raw = await request.content.read()
                body = _decode(raw)
                self.world.journal.keep_body(entry, raw, body)
            if isinstance(body, dict) and isinstance(named := body.get("model"), str):
                model = named
        finally:
            self.world.journal.admit(entry, model)
        return Call(entry.seq, model, body, NO_FAULT, entry.path, request.headers)

    def _check(self, exchange: Exchange, route: Route, call: Call) -> Reply | None:
        """The vendor's refusal of what has no key, no model or no JSON."""
        fail = route.vendor.fail
        key = exchange.entry.key = route.vendor.find_key(call.headers)
        if key is None:
            return fail(call, "no_key")
        if self.world.is_refused_key(key):
            return fail(call, "bad_key")
        if not isinstance(call.body, dict):
            return fail(call, "bad_json")
        if route.needs_model and not call.model:
            return fail(call, "no_model")
        return None


def find_failure(route: Route, call: Call) -> Reply | None:
    flagged = (cause for cause in CAUSES if cause in call.fault.flags)
    cause = call.fault.status or next(flagged, None)
    if cause is None:
        return None
    reply = route.vendor.fail(call, cause)
    if call.fault.retry_after is None:
        return reply
    return replace(reply, headers={**reply.headers, "Retry-After": str(call.fault.retry_after)})


def find_broken_body(fault: Fault) -> Reply | None:
    names = (name for name in BROKEN_BODIES if name in fault.flags)
    return BROKEN_BODIES.get(next(names, ""))


def answer(route: Route, call: Call) -> Reply:
    try:
        return route.answer(call)
    except (AttributeError, KeyError, TypeError, ValueError):
        # The body was JSON but not of the shape that the format asks for.
        return route.vendor.fail(call, 400)


def _decode(raw: bytes) -> Any:  # noqa: ANN401
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


async def start(world: World, host: str, port: int) -> tuple[web.ServerRunner, int]:
    """Listen; gives the runner to clean up and the port that was taken."""
    # Clients that break connections are what we are for, not news for the log.
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    server = web.Server(
        Simulator(world).handle, handler_cancellation=True, access_log=None, keepalive_timeout=600
    )
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, host, port, backlog=4096).start()
    return runner, int(runner.addresses[0][1])
