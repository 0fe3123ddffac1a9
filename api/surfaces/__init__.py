"""The public contracts, one folder each; the table of contents of all routes."""

from api.surfaces.anthropic import anthropic
from api.surfaces.openai import openai
from api.surfaces.system import system

BLUEPRINTS = (system, openai, anthropic)

__all__ = ["BLUEPRINTS"]
