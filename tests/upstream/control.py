"""The routes under /__control and /__journal, by which tests steer and watch the simulator."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from tests.upstream.faults import UnknownSuffixError, parse_spec
from tests.upstream.gates import Gate
from tests.upstream.works import summarize
from tests.upstream.world import Rule, World

LONGEST_WAIT_SECONDS = 60.0
DEFAULT_PAGE = 1000
CHOOSE_WORKS = {"kind", "model", "key", "id", "state"}

Json = dict[str, Any]
Result = tuple[int, object]
Handler = Callable[[World, web.BaseRequest, Json, str], Awaitable[Result]]


async def handle(world: World, request: web.BaseRequest) -> web.Response:
    status, answer = await _dispatch(world, request)
    body = msgspec.json.encode(answer)
    return web.Response(status=status, body=body, content_type="application/json")


async def _dispatch(world: World, request: web.BaseRequest) -> Result:
    for method, pattern, handler in ROUTES:
        if method == request.method and (found := pattern.fullmatch(request.path)):
            name = found.group(1) if pattern.groups else ""
            try:
                raw = await request.read()
                body = msgspec.json.decode(raw, type=Json) if raw else {}
                return await handler(world, request, body, name)
            except (ValueError, TypeError, KeyError) as error:
                return 400, {"error": f"{type(error).__name__}: {error}"}
    return 404, {"error": f"no control route {request.method} {request.path}"}


async def add_fault(world: World, _request: web.BaseRequest, body: Json, _name: str) -> Result:
    unknown = body.keys() - {"model", "fault", "times", "path", "key"}
    if unknown:
        raise UnknownSuffixError(f"unknown fields: {sorted(unknown)}")
    fault = parse_spec(body["fault"])
    times = body.get("times")
    rule = Rule(
        number=world.last_number + 1,
        model=body.get("model", "*"),
        fault=fault,
        times=fault.times if times is None else times,
        path=body.get("path"),
        key=body.get("key"),
    )
    world.add_rule(rule)
    return 201, rule.snapshot()


async def list_faults(world: World, _request: web.BaseRequest, _body: Json, _name: str) -> Result:
    return 200, [rule.snapshot() for rule in world.rules]


async def delete_faults(world: World, request: web.BaseRequest, _body: Json, _name: str) -> Result:
    """All, or the one with ``?id=``."""
    before = len(world.rules)
    wanted = request.query.get("id")
    kept = [rule for rule in world.rules if wanted is not None and rule.number != int(wanted)]
    world.rules[:] = kept
    return 200, {"deleted": before - len(kept)}


async def revoke_keys(world: World, _request: web.BaseRequest, body: Json, _name: str) -> Result:
    world.revoked = set(body["revoked"])
    return 200, {"revoked": sorted(world.revoked)}


async def reset(world: World, _request: web.BaseRequest, _body: Json, _name: str) -> Result:
    world.reset()
    return 200, {"reset": True}


async def set_gate(world: World, _request: web.BaseRequest, body: Json, _name: str) -> Result:
    """Create a gate, or close one again; ``{"open": true}`` opens it."""
    gate = world.gates.get(str(body["name"]))
    if body.get("open"):
        gate.open(None)
    else:
        gate.is_open = False
    return 200, gate.snapshot()


async def open_gate(world: World, _request: web.BaseRequest, body: Json, name: str) -> Result:
    """For good, or for ``{"count": K}`` of those who wait."""
    gate = world.gates.get(name)
    released = gate.open(body.get("count"))
    return 200, {**gate.snapshot(), "released": released}


async def show_gate(world: World, request: web.BaseRequest, _body: Json, name: str) -> Result:
    """At once, or when ``waiting=K`` requests wait (or ``arrived=K`` came), or at ``timeout=S``."""
    gate = world.gates.get(name)
    waiting = int(request.query.get("waiting", "0"))
    arrived = int(request.query.get("arrived", "0"))
    timeout = min(float(request.query.get("timeout", "10")), LONGEST_WAIT_SECONDS)

    def reached(now: Gate) -> bool:
        return now.waiting >= waiting and now.arrived >= arrived

    satisfied = await gate.wait_until(reached, timeout)
    return 200, {**gate.snapshot(), "satisfied": satisfied}


async def show_journal(world: World, request: web.BaseRequest, _body: Json, _name: str) -> Result:
    since = int(request.query.get("since", "0"))
    limit = int(request.query.get("limit", str(DEFAULT_PAGE)))
    return 200, world.journal.list_entries(since, limit, request.query.get("model"))


async def show_summary(world: World, _request: web.BaseRequest, _body: Json, _name: str) -> Result:
    return 200, world.journal.summary()


async def clear_journal(world: World, _request: web.BaseRequest, _body: Json, _name: str) -> Result:
    world.journal.clear()
    return 200, {"cleared": True}


async def list_works(world: World, request: web.BaseRequest, _body: Json, _name: str) -> Result:
    """What was accepted, oldest first; ``?kind=``, ``?model=``, ``?key=``, ``?id=`` choose."""
    unknown = request.query.keys() - CHOOSE_WORKS
    if unknown:
        raise ValueError(f"unknown choices: {sorted(unknown)}")
    return 200, list(world.works.snapshots(**dict(request.query)))


async def sum_works(world: World, _request: web.BaseRequest, _body: Json, _name: str) -> Result:
    """Per kind: how many works, their units, and how many of each state."""
    return 200, summarize(world.works.snapshots())


ROUTES: tuple[tuple[str, re.Pattern[str], Handler], ...] = (
    ("POST", re.compile("/__control/faults"), add_fault),
    ("GET", re.compile("/__control/faults"), list_faults),
    ("DELETE", re.compile("/__control/faults"), delete_faults),
    ("POST", re.compile("/__control/keys"), revoke_keys),
    ("GET", re.compile("/__control/works"), list_works),
    ("GET", re.compile("/__control/works/summary"), sum_works),
    ("POST", re.compile("/__control/reset"), reset),
    ("POST", re.compile("/__control/gate"), set_gate),
    ("POST", re.compile("/__control/gate/([A-Za-z0-9_]+)/open"), open_gate),
    ("GET", re.compile("/__control/gate/([A-Za-z0-9_]+)"), show_gate),
    ("GET", re.compile("/__journal"), show_journal),
    ("GET", re.compile("/__journal/summary"), show_summary),
    ("DELETE", re.compile("/__journal"), clear_journal),
)
