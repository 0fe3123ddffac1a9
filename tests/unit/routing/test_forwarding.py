"""Forward rules: what applies, in which order, and that nothing can go round for ever."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.catalog import Catalog, Offer
from gateway.protocols.canonical import (
    Call,
    Document,
    Image,
    Item,
    Message,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from gateway.routing.forwarding import LONGEST_CHAIN, content_bytes, forwarded, last_text
from tests.unit.routing.offers import catalog_of, offer_of


def call_of(*messages: tuple[Item, ...]) -> Call:
    return Call(model="m", messages=tuple(Message(Role.USER, items) for items in messages))


def says(*texts: str) -> Callable[[], Call | None]:
    call = call_of(*((Text(text),) for text in texts))
    return lambda: call


def nothing() -> Call | None:
    raise AssertionError("No rule needs to know the request.")


def keywords(*pairs: tuple[str, str]) -> dict[str, Any]:
    named = [{"pattern": pattern, "model": model} for pattern, model in pairs]
    return {"rule": "keyword", "keywords": named}


def by_length(least: int, model: str = "b") -> dict[str, Any]:
    return {"rule": "length", "at_least": least, "model": model}


def to(model: str) -> dict[str, Any]:
    return {"rule": "all", "model": model}


def catalog(**rules: dict[str, Any]) -> Catalog:
    """Models by their rules; those that only appear as targets have none."""
    offers = {name: offer_of(slug=name, forward=rule) for name, rule in rules.items()}
    plain = {name: offer_of(slug=name) for name in "abcd"}
    return catalog_of(*(plain | offers).values(), aliases={"nickname": "c"})


def served(found: Catalog, read: Callable[[], Call | None] = nothing) -> str:
    return forwarded(found, found.offers["a"], read)[0].slug


def steps(found: Catalog, read: Callable[[], Call | None] = nothing) -> list[tuple[str, str, str]]:
    _, taken = forwarded(found, found.offers["a"], read)
    return [(step.model, step.target, step.reason) for step in taken]


def test_without_a_rule_a_model_serves_itself() -> None:
    found = catalog()
    assert forwarded(found, found.offers["a"], nothing) == (found.offers["a"], [])


def test_everything_may_go_to_another_model_and_the_request_is_not_even_read() -> None:
    assert steps(catalog(a=to("b"))) == [("a", "b", "every request")]


def test_a_target_may_be_named_by_its_alias() -> None:
    assert served(catalog(a=to("nickname"))) == "c"


@pytest.mark.parametrize(
    ("pattern", "text", "is_hit"),
    [
        ("translate", "Please TRANSLATE this.", True),
        ("Translate", "please translate this", True),
        ("trans late", "t r a n s\nl a t e", True),
        ("write a poem", "Write\ta\n poem", True),
        ("poem|story", "a story", True),
        ("^hello", "hello there", True),
        ("^hello", "say hello", False),
        (r"\d{3}", "a 1 2 3", True),
        (r"\d{3}", "12", False),
        ("ÜBER", "alles über Gerbils", True),
        ("天气", "今天 天 气怎么样", True),
        ("draw", "paint", False),
        ("", "", True),
    ],
)
def test_a_keyword_is_an_expression_without_white_space_in_any_case(
    pattern: str,
    text: str,
    is_hit: bool,  # noqa: FBT001
) -> None:
    assert served(catalog(a=keywords((pattern, "b"))), says(text)) == ("b" if is_hit else "a")


def test_the_first_keyword_that_hits_decides() -> None:
    rule = keywords(("zebra", "d"), ("poem", "c"), ("a", "b"))
    assert steps(catalog(a=rule), says("a poem")) == [("a", "c", "keyword 'poem'")]
    assert served(catalog(a=rule), says("a story")) == "b"


def test_only_the_last_message_is_searched() -> None:
    found = catalog(a=keywords(("poem", "b")))
    assert served(found, says("a poem", "thank you")) == "a"
    assert served(found, says("thank you", "a poem")) == "b"


def test_the_text_of_a_message_is_that_of_all_its_parts_and_of_results() -> None:
    result = ToolResult("t", (Text("c"), Image(url="d")))
    assert last_text(call_of((Text("old"),), (Text("a"), Image(url="x"), result, Text("b")))) == (
        "abc"
    )
    assert last_text(Call(model="m", messages=())) == ""


@pytest.mark.parametrize(
    ("texts", "least", "is_hit"),
    [
        (["12345"], 5, True),
        (["1234"], 5, False),
        (["123", "45"], 5, True),
        (["é" * 3], 6, True),
        (["é" * 3], 7, False),
        (["你好"], 6, True),
        (["🙂"], 5, False),
        ([], 1, False),
    ],
)
def test_length_is_that_of_all_messages_in_bytes(
    texts: list[str],
    least: int,
    is_hit: bool,  # noqa: FBT001
) -> None:
    assert served(catalog(a=by_length(least)), says(*texts)) == ("b" if is_hit else "a")


def test_why_a_long_request_went_elsewhere_is_told() -> None:
    assert steps(catalog(a=by_length(3)), says("four")) == [("a", "b", "4 bytes, at least 3")]


@pytest.mark.parametrize(
    ("items", "length"),
    [
        ((Image(data="AAAA", media_type="image/png"),), 4),
        ((Image(url="https://x"),), 9),
        ((Document(data="AAAAAAAA"), Document(text="é")), 10),
        ((ToolCall("id", "name", '{"a":1}'),), 7),
        ((ToolResult("id", (Text("abc"), Image(data="AAAA"))),), 7),
    ],
)
def test_what_is_no_text_counts_as_it_is_encoded(items: tuple[Item, ...], length: int) -> None:
    assert content_bytes(call_of(items)) == length


def test_a_chain_is_followed_to_its_end_by_each_models_own_rule() -> None:
    found = catalog(a=to("b"), b=keywords(("poem", "c")), c=by_length(3, "d"))
    assert [step[:2] for step in steps(found, says("a poem"))] == [
        ("a", "b"),
        ("b", "c"),
        ("c", "d"),
    ]
    assert served(found, says("a story")) == "b"


@pytest.mark.parametrize(
    ("rules", "end"),
    [
        ({"a": to("a")}, "a"),
        ({"a": to("b"), "b": to("a")}, "b"),
        ({"a": to("b"), "b": to("c"), "c": to("b")}, "c"),
        ({"a": to("b"), "b": to("nickname"), "c": to("a")}, "c"),
    ],
)
def test_a_circle_ends_before_it_closes(rules: dict[str, dict[str, Any]], end: str) -> None:
    assert served(catalog(**rules)) == end


def test_too_long_a_chain_is_cut() -> None:
    offers = [offer_of(slug=str(n), forward=to(str(n + 1))) for n in range(20)]
    end, taken = forwarded(catalog_of(*offers), offers[0], nothing)
    assert (end.slug, len(taken)) == (str(LONGEST_CHAIN), LONGEST_CHAIN)


@pytest.mark.parametrize(
    "rule", [to("missing"), keywords(("a", "missing")), by_length(1, "missing")]
)
def test_a_missing_target_means_no_forward(rule: dict[str, Any]) -> None:
    assert served(catalog(a=rule), says("a")) == "a"
    assert served(catalog(a=to("b"), b=rule), says("a")) == "b"


@pytest.mark.parametrize("rule", [keywords(("", "b")), by_length(1)])
def test_what_is_no_chat_is_only_forwarded_as_a_whole(rule: dict[str, Any]) -> None:
    assert served(catalog(a=rule), lambda: None) == "a"
    assert served(catalog(a=to("b")), lambda: None) == "b"


def test_the_offer_that_was_asked_for_stays_what_it_is() -> None:
    found = catalog(a=to("b"))
    asked: Offer = found.offers["a"]
    forwarded(found, asked, nothing)
    assert asked.slug == "a"
