"""Which vendor's answer belongs to a method and a path, whatever prefix the path has."""

import re
from dataclasses import dataclass
from functools import lru_cache

from tests.upstream import (
    anthropic_messages,
    anthropic_models,
    midjourney_submit,
    midjourney_tasks,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_images,
    openai_models,
    openai_moderations,
    openai_speech,
    openai_transcriptions,
    openai_videos,
    results,
)
from tests.upstream.anthropic_shapes import ANTHROPIC
from tests.upstream.midjourney_shapes import MIDJOURNEY
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
    # Addresses of results are open to everybody who knows them.
    needs_key: bool = True
    # An answer may stand for an accepted work.
    accepts_works: bool = False
    # Suffixes may be the last word of the prompt, as there is no model to carry them.
    hears_prompt: bool = False
    default_model: str = ""


def _no_route(call: Call) -> Reply:
    return OPENAI.fail(call, "no_route")


def _no_anthropic_route(call: Call) -> Reply:
    return ANTHROPIC.fail(call, "no_route")


def _work(path: str, answer: Answer) -> Route:
    return Route("POST", re.compile(path), OPENAI, answer, accepts_works=True)


def _video(method: str, path: str, answer: Answer) -> Route:
    return Route(method, re.compile(f".*/videos{path}"), OPENAI, answer, needs_model=False)


def _submit(path: str, answer: Answer) -> Route:
    """The model may stand in the path; "midjourney" if it does not."""
    return Route(
        "POST",
        re.compile(MJ + path),
        MIDJOURNEY,
        answer,
        accepts_works=True,
        hears_prompt=True,
        default_model=MJ_MODEL,
    )


def _task(method: str, path: str, answer: Answer) -> Route:
    return Route(method, re.compile(MJ + path), MIDJOURNEY, answer, default_model=MJ_MODEL)


MJ = r".*/mj/(?:(?P<model>(?!task/|submit/|image/)[^/]+)/)?"
MJ_MODEL = "midjourney"

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
    _work(r".*/images/generations", openai_images.generate),
    _work(r".*/images/edits", openai_images.edit),
    _work(r".*/images/variations", openai_images.vary),
    _work(r".*/audio/speech", openai_speech.answer),
    _work(r".*/audio/transcriptions", openai_transcriptions.transcribe),
    _work(r".*/audio/translations", openai_transcriptions.translate),
    Route(
        "POST",
        re.compile(r".*/videos"),
        OPENAI,
        openai_videos.create,
        accepts_works=True,
        default_model=openai_videos.DEFAULT_MODEL,
    ),
    _video("GET", "", openai_videos.list_all),
    _video("GET", r"/[^/]+", openai_videos.show),
    _video("DELETE", r"/[^/]+", openai_videos.delete),
    _video("GET", r"/[^/]+/content", openai_videos.show_content),
    _submit(r"submit/[a-z-]+", midjourney_submit.answer),
    _submit(r"insight-face/swap", midjourney_submit.swap_face),
    _task("GET", r"task/\d+/fetch", midjourney_tasks.fetch),
    _task("GET", r"task/\d+/image-seed", midjourney_tasks.show_seed),
    _task("POST", r"task/\d+/cancel", midjourney_tasks.cancel),
    _task("POST", r"task/list-by-(?:condition|ids)", midjourney_tasks.list_by_ids),
    _task("GET", r"task/queue", midjourney_tasks.list_queue),
    _task("GET", r"task/list", midjourney_tasks.list_all),
    Route(
        "GET",
        re.compile(MJ + r"image/\d+"),
        MIDJOURNEY,
        midjourney_tasks.show_image,
        needs_model=False,
        needs_key=False,
    ),
    Route(
        "GET",
        re.compile(r".*/files/[^/]+\.png"),
        OPENAI,
        results.answer,
        needs_model=False,
        needs_key=False,
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
