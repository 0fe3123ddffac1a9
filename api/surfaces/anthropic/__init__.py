"""The Anthropic contract, under ``/v1``."""

from sanic import Blueprint
from sanic.blueprint_group import BlueprintGroup

from api.surfaces.anthropic.count_tokens import count_tokens
from api.surfaces.anthropic.messages import messages

anthropic: BlueprintGroup = Blueprint.group(messages, count_tokens, url_prefix="/v1")

__all__ = ["anthropic"]
