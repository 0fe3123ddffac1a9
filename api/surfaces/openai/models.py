"""``GET /v1/models`` and ``GET /v1/models/{model}``: what this key may use."""

from typing import Any
from urllib.parse import unquote

from sanic import Blueprint, HTTPResponse
from sanic.response import json

from api import client_address
from api.context import Request
from api.incoming import api_key
from gateway.catalog import Offer
from gateway.errors import ModelNotFoundError
from gateway.relay import list_offers

OWNER = "sluice"

models = Blueprint("openai_models")


@models.get("/models")
async def index(request: Request) -> HTTPResponse:
    offers = await _offers(request)
    return json({"object": "list", "data": [_model(offer) for offer in offers]})


@models.get("/models/<model:path>")
async def show(request: Request, model: str) -> HTTPResponse:
    model = unquote(model)  # names with a slash come as ``%2F``
    for offer in await _offers(request):
        if offer.slug == model:
            return json(_model(offer))
    raise ModelNotFoundError(f"The model '{model[:100]}' does not exist.", param="model")


async def _offers(request: Request) -> list[Offer]:
    return await list_offers(request.app.ctx.deps, api_key(request), client_address.of(request))


def _model(offer: Offer) -> dict[str, Any]:
    return {
        "id": offer.slug,
        "object": "model",
        "created": offer.created,
        "owned_by": OWNER,
        "context_window": offer.context_window,
        "max_output_tokens": offer.max_output_tokens,
    }
