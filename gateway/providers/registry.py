"""The adapters by name; the only place that knows all of them."""

from collections.abc import Mapping

from gateway.providers.anthropic import AnthropicProvider
from gateway.providers.base import Provider
from gateway.providers.openai import OpenAIProvider

PROVIDERS: Mapping[str, Provider] = {
    "openai": OpenAIProvider(),
    "anthropic": AnthropicProvider(),
}
