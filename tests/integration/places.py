"""A model at several places: the journal tells them by their paths and keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.stack import Stack
from tests.stack.stack import model_of


@dataclass(frozen=True, slots=True)
class Place:
    """One backend of a model."""

    slug: str
    weight: int = 1
    keys: Sequence[str] = ("k",)
    upstream: str = "sim-chat"
    protocol: str = "openai"


def secret_of(place: str, key: str) -> str:
    return f"sk-of-{place}-{key}"


def add_places(stack: Stack, model: str, places: Sequence[Place], **fields: Any) -> None:  # noqa: ANN401
    """A chat model that these backends serve, with a provider each."""
    links = [
        {"backend": place.slug, "weight": place.weight, "upstream_model": place.upstream}
        for place in places
    ]
    providers = [_provider(stack, place) for place in places]
    models = [model_of(model, {"backends": links, **fields})]
    stack.apply({"providers": providers, "models": models})


def _provider(stack: Stack, place: Place) -> dict[str, Any]:
    base_url = f"{stack.simulator.base_url}/{place.slug}"
    if place.protocol == "openai":
        base_url += "/v1"
    keys = [{"name": key, "secret": secret_of(place.slug, key)} for key in place.keys]
    return {
        "code": place.slug,
        "adapter": place.protocol,
        "backends": [{"slug": place.slug, "base_url": base_url}],
        "keys": keys,
    }


def place_of(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Backend and key of an entry of the simulator's journal."""
    place = entry["path"].split("/")[1]
    return place, str(entry["key"]).removeprefix(f"sk-of-{place}-")


def places_asked(stack: Stack, since: int = 0) -> list[tuple[str, str]]:
    """Where every request after one of the journal went, in order."""
    stack.simulator.wait_idle()
    return [place_of(entry) for entry in stack.simulator.journal(since)]


def mark(stack: Stack) -> int:
    """Everything in the journal after this is new."""
    return int(stack.simulator.summary()["last_seq"])
