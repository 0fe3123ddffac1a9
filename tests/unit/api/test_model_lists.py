"""Models page by page, as clients of the paging dialect walk through them."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from api.context import Request
from api.surfaces.anthropic.model_list import Page, described, listed, page_of
from gateway.catalog import Offer
from gateway.errors import InvalidRequestError

SLUGS = ["a", "b", "c", "d", "e"]


def offer(slug: str, name: str = "") -> Offer:
    return cast("Offer", SimpleNamespace(slug=slug, name=name, created=1_700_000_000))


def page(**arguments: str) -> Page:
    return page_of(cast("Request", SimpleNamespace(args=arguments)))


def listing(**arguments: str) -> tuple[list[str], bool]:
    answer: dict[str, Any] = listed([offer(slug) for slug in SLUGS], page(**arguments))
    ids = [model["id"] for model in answer["data"]]
    assert answer["first_id"] == (ids[0] if ids else None)
    assert answer["last_id"] == (ids[-1] if ids else None)
    return ids, answer["has_more"]


@pytest.mark.parametrize(
    ("arguments", "ids", "has_more"),
    [
        ({}, SLUGS, False),
        ({"limit": "5"}, SLUGS, False),
        ({"limit": "2"}, ["a", "b"], True),
        ({"limit": "2", "after_id": "b"}, ["c", "d"], True),
        ({"limit": "2", "after_id": "d"}, ["e"], False),
        ({"after_id": "e"}, [], False),
        ({"limit": "2", "before_id": "e"}, ["c", "d"], True),
        ({"limit": "2", "before_id": "c"}, ["a", "b"], False),
        ({"before_id": "a"}, [], False),
    ],
)
def test_a_page_says_whether_there_is_more(
    arguments: dict[str, str],
    ids: list[str],
    has_more: bool,  # noqa: FBT001
) -> None:
    assert listing(**arguments) == (ids, has_more)


@pytest.mark.parametrize(
    ("arguments", "param"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "²"}, "limit"),
        ({"limit": "9" * 5000}, "limit"),
        ({"after_id": "nope"}, "after_id"),
        ({"before_id": "nope"}, "before_id"),
        ({"after_id": "a", "before_id": "c"}, "before_id"),
    ],
)
def test_a_page_that_cannot_be_is_refused(arguments: dict[str, str], param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        listing(**arguments)
    assert caught.value.param == param


def test_a_model_is_described_with_its_own_name_or_its_slug() -> None:
    assert described(offer("a", "Model A")) == {
        "type": "model",
        "id": "a",
        "display_name": "Model A",
        "created_at": "2023-11-14T22:13:20Z",
    }
    assert described(offer("a"))["display_name"] == "a"
