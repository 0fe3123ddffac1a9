"""Models with a provider, a key and a backend each, so that the ills of one touch no other."""

from collections.abc import Mapping
from typing import Any

from tests.stack.stack import Stack, model_of


def add_isolated_models(stack: Stack, upstreams: Mapping[str, str], **fields: Any) -> None:  # noqa: ANN401
    """``upstreams``: the names of models, each with that of its upstream model."""
    providers, models = [], []
    for slug, upstream in upstreams.items():
        backend = {"slug": slug, "base_url": stack.simulator.openai_url}
        key = {"name": "k", "secret": f"sk-upstream-{slug}"}
        provider = {"code": slug, "name": slug, "adapter": "openai"}
        providers.append({**provider, "backends": [backend], "keys": [key]})
        link = {"backend": slug, "upstream_model": upstream}
        models.append(model_of(slug, {"backends": [link], **fields}))
    stack.apply({"providers": providers, "models": models})
