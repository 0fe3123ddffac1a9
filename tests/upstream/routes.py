"""Which vendor's answer belongs to a method and a path, whatever prefix the path has."""

import re
from dataclasses import dataclass
from functools import lru_cache

from tests.upstream import (
    anthropic_messages,
    anthropic_models,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_models,
    openai_moderations,
)
from tests.upstream.anthropic_shapes import ANTHROPIC
from tests.upstream.openai_shapes import OPENAI
from tests.upstream.reply import Answer, Call, Reply, Vendor


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    pattern: re.Pattern[str]
    vendor: Vendor
    answer: Answer
    needs_model: bool = True
    # For paths that both vendors have: this one is meant if its own header is there.
    needs_version: bool = False


def _no_route(call: Call) -> Reply:
    return OPENAI.fail(call, "no_route")


def _no_anthropic_route(call: Call) -> Reply:
    return ANTHROPIC.fail(call, "no_route")


# The group named "model" is for paths that carry the model's name. First match wins.
ROUTES = (
    Route("POST", re.compile(r".*/chat/completions"), OPENAI, openai_chat.answer),
    Route("POST", re.compile(r".*/completions"), OPENAI, openai_completions.answer),
    Route("POST", re.compile(r".*/embeddings"), OPENAI, openai_embeddings.answer),
    Route(
        "POST", re.compile(r".*/moderations"), OPENAI, openai_moderations.answer, needs_model=False
    ),
    Route("POST", re.compile(r".*/v1/messages"), ANTHROPIC, anthropic_messages.answer),
    Route("POST", re.compile(r".*/v1/messages/count_tokens"), ANTHROPIC, anthropic_messages.count),
    Route(
        "GET",
        re.compile(r".*/v1/models"),
        ANTHROPIC,
        anthropic_models.answer,
        needs_model=False,
        needs_version=True,
    ),
    Route(
        "GET",
        re.compile(r".*/v1/models/(?P<model>.+)"),
        ANTHROPIC,
        anthropic_models.answer_one,
        needs_version=True,
    ),
    Route("GET", re.compile(r".*/models"), OPENAI, openai_models.answer, needs_model=False),
    Route("GET", re.compile(r".*/models/(?P<model>.+)"), OPENAI, openai_models.answer_one),
)
NO_ROUTE = Route("", re.compile(""), OPENAI, _no_route, needs_model=False)
NO_ANTHROPIC_ROUTE = Route("", re.compile(""), ANTHROPIC, _no_anthropic_route, needs_model=False)

_deployment = re.compile(r"/deployments/([^/]+)/")


@lru_cache(maxsize=2048)
def find_route(method: str, path: str, *, is_anthropic: bool = False) -> tuple[Route, str]:
    """The route, and the model's name if the path says it."""
    for route in ROUTES:
        if route.needs_version and not is_anthropic:
            continue
        if route.method == method and (found := route.pattern.fullmatch(path)):
            named = found.groupdict().get("model")
            azure = _deployment.search(path)
            return route, named or (azure.group(1) if azure else "")
    return (NO_ANTHROPIC_ROUTE if is_anthropic else NO_ROUTE), ""
