"""The OpenAI contract, under ``/v1``."""

from sanic import Blueprint
from sanic.blueprint_group import BlueprintGroup

from api.surfaces.openai.chat import chat
from api.surfaces.openai.embeddings import embeddings
from api.surfaces.openai.models import models

openai: BlueprintGroup = Blueprint.group(chat, embeddings, models, url_prefix="/v1")

__all__ = ["openai"]
