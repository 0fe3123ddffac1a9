"""``/v1/models``: what this key may use, for clients of both dialects."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec
from sanic import Blueprint, HTTPResponse
from sanic.response import json

from api.context import Request
from api.dialects import dialect_of
from api.incoming import visitor_of
from api.permissions import Permission, demand
from api.surfaces.anthropic import model_list as anthropic
from api.surfaces.openai import model_list as openai
from gateway.protocols import bodies
from gateway.protocols.errors import ANTHROPIC
from gateway.relay import get_offer, list_offers, list_places

METHODS = ("GET", "POST")
FLAG = "is_fastapi"

models = Blueprint("openai_models")


class _Options(msgspec.Struct):
    is_fastapi: bool = False


_options = msgspec.json.Decoder(_Options)


async def index(request: Request) -> HTTPResponse:
    visitor = await visitor_of(request)
    offers = list_offers(visitor)
    if _wants_places(request):
        demand(Permission.PLACES, visitor.caller.role)
        places = {offer.slug: list_places(request.app.ctx.deps, offer) for offer in offers}
        return json(openai.listed(offers, places))
    if dialect_of(request) is ANTHROPIC:
        return json(anthropic.listed(offers, anthropic.page_of(request)))
    return json(openai.listed(offers))


models.add_route(index, "/models", METHODS, name="index")
models.add_route(index, "/dashboard/models", METHODS, name="dashboard_index")


@models.get("/models/<model:path>")
async def show(request: Request, model: str) -> HTTPResponse:
    # Names with a slash come as ``%2F``.
    offer = get_offer(await visitor_of(request), unquote(model))
    is_anthropic = dialect_of(request) is ANTHROPIC
    return json(anthropic.described(offer) if is_anthropic else openai.described(offer))


def _wants_places(request: Request) -> bool:
    """In the query or in the body, whichever way that is written."""
    form: Mapping[str, Any] = request.form or {}
    flag = request.args.get(FLAG) or form.get(FLAG)
    if flag or form or not request.body:
        return str(flag).lower() in ("1", "true")
    return bodies.read(_options, request.body).is_fastapi
