"""The OpenAI contract, under ``/v1``."""

from sanic import Blueprint
from sanic.blueprint_group import BlueprintGroup

from api.surfaces.openai.billing import billing
from api.surfaces.openai.chat import chat
from api.surfaces.openai.completions import completions
from api.surfaces.openai.embeddings import embeddings
from api.surfaces.openai.models import models
from api.surfaces.openai.moderations import moderations

openai: BlueprintGroup = Blueprint.group(
    chat, completions, embeddings, moderations, models, billing, url_prefix="/v1"
)

__all__ = ["openai"]
