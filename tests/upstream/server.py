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
from tests.upstream.faults import NO_FAULT, Fault, UnknownSuffixError, parse_spec, spoken_spec
from tests.upstream.forms import Upload, read_form
from tests.upstream.journal import Entry
from tests.upstream.reply import Call, Reply
from tests.upstream.routes import Route, find_route
from tests.upstream.works import Work, WorkState
from tests.upstream.world import World

CUT_JSON = b'{"id":"chatcmpl-sim","object":"chat.completion","choices":[{"index":0,"mess'
HTML_PAGE = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body>Hello.</body></html>"
BROKEN_BODIES = {
    "badjson": Reply(CUT_JSON, is_answer=False),
    "html": Reply(HTML_PAGE, content_type="text/html; charset=utf-8", is_answer=False),
    "empty": Reply(b"", is_answer=False),
}
CAUSES = ("ctx", "policy", "quota")
REFUSALS = ("banned", "full", "noaccount", "invalid")
POLL_SECONDS = 0.005


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
        call = await self._receive(exchange, route, model or route.default_model)
        if (refusal := self._check(exchange, route, call)) is not None:
            return await deliver(exchange, refusal, route.vendor.error_event(call))
        call = replace(call, key=entry.key or "", fault=self._find_fault(exchange, route, call))
        if not await exchange.before_first_byte():
            return web.Response()
        reply: Reply | None = produce(route, call)
        if reply is not None and reply.work is not None:
            reply = await self._follow(exchange, route, call, reply)
        if reply is None:
            return web.Response()
        if reply.fault is not None:
            exchange.fault = entry.fault = reply.fault
        return await deliver(exchange, reply, route.vendor.error_event(call))

    async def _receive(self, exchange: Exchange, route: Route, model: str) -> Call:
        """Read and decode the body; the request is counted even if it never arrives whole."""
        entry, request = exchange.entry, exchange.request
        body: Any = {}
        files: tuple[Upload, ...] = ()
        try:
            if request.can_read_body:
                raw = await request.content.read()
                body, files = self._read_body(entry, raw, request.headers.get("Content-Type", ""))
            if isinstance(body, dict) and isinstance(named := body.get("model"), str):
                model = named
        finally:
            self.world.journal.admit(entry, model)
        return Call(
            entry.seq,
            model,
            body,
            NO_FAULT,
            entry.path,
            request.headers,
            query=request.query,
            base_url=f"http://{request.host}",
            files=files,
            works=self.world.works,
        )

    def _read_body(
        self, entry: Entry, raw: bytes, content_type: str
    ) -> tuple[Any, tuple[Upload, ...]]:
        form = None
        if content_type.startswith("multipart/form-data"):
            form = read_form(raw, content_type)
        if form is not None:
            self.world.journal.keep_form(entry, form.describe())
            return form.fields, form.files
        body = _decode(raw)
        self.world.journal.keep_body(entry, raw, body)
        return body, ()

    def _find_fault(self, exchange: Exchange, route: Route, call: Call) -> Fault:
        entry = exchange.entry
        spoken = spoken_spec(str(call.body.get("prompt", ""))) if route.hears_prompt else ""
        fault = self.world.find_fault(call.model, entry.path, entry.key, spoken)
        exchange.fault = entry.fault = fault
        return fault

    async def _follow(
        self, exchange: Exchange, route: Route, call: Call, reply: Reply
    ) -> Reply | None:
        """What becomes of the answer to an accepted work; ``None`` if there will be none."""
        assert reply.work is not None
        await exchange.wait_at("accepted")
        if "cutaccept" in exchange.fault.flags:
            await exchange.reset()
            return None
        if not reply.awaits_work:
            return reply
        await exchange.wait_at("finish")
        if await self._finish(reply.work) is WorkState.FAILED:
            return route.vendor.fail(call, 500)
        return reply

    async def _finish(self, work: Work) -> WorkState:
        # Works are reckoned when asked and have no events.
        while not (standing := self.world.works.standing(work)).is_final:  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)
        return standing.state

    def _check(self, exchange: Exchange, route: Route, call: Call) -> Reply | None:
        """The vendor's refusal of what has no key, no model or no JSON."""
        fail = route.vendor.fail
        key = exchange.entry.key = route.vendor.find_key(call.headers)
        if key is None and route.needs_key:
            return fail(call, "no_key")
        if key is not None and self.world.is_refused_key(key):
            return fail(call, "bad_key")
        if not isinstance(call.body, dict):
            return fail(call, "bad_json")
        if route.needs_model and not call.model:
            return fail(call, "no_model")
        return None if _can_parse(route, call) else fail(call, 400)


def produce(route: Route, call: Call) -> Reply:
    failure = find_failure(route, call)
    if failure is not None:
        return failure
    broken = find_broken_body(call.fault)
    if not route.accepts_works:
        return broken or answer(route, call)
    reply = place_order(route, call)
    if broken is None or reply.work is None:
        return reply
    return replace(broken, work=reply.work, awaits_work=reply.awaits_work)


def find_failure(route: Route, call: Call) -> Reply | None:
    causes = CAUSES + REFUSALS if route.accepts_works else CAUSES
    flagged = (cause for cause in causes if cause in call.fault.flags)
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


def place_order(route: Route, call: Call) -> Reply:
    """The route's answer, or the one that was given to the same idempotency key before."""
    name = call.headers.get("Idempotency-Key", "").strip('"')
    place = (call.key, call.path, name)
    is_honoured = bool(name) and "idem" in call.fault.flags
    if is_honoured and (known := call.works.answered.get(place)) is not None:
        known[0].submits += 1
        before: Reply = known[1]
        return before
    reply = answer(route, call)
    if reply.work is not None:
        reply.work.idempotency_key = name or None
        if is_honoured:
            call.works.answered[place] = reply.work, reply
    return reply


def answer(route: Route, call: Call) -> Reply:
    try:
        return route.answer(call)
    except (AttributeError, KeyError, TypeError, ValueError):
        # The body was JSON but not of the shape that the format asks for.
        return route.vendor.fail(call, 400)


def _can_parse(route: Route, call: Call) -> bool:
    """A word that begins like suffixes and names none is a mistake of the test."""
    if not route.hears_prompt or not (spec := spoken_spec(str(call.body.get("prompt", "")))):
        return True
    try:
        parse_spec(spec)
    except UnknownSuffixError:
        return False
    return True


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
