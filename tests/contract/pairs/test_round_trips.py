"""Histories that go through the other dialect and back keep ids, order and words."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.protocols import anthropic_messages, openai_chat

Json = dict[str, Any]

WORDS = st.text("abc é世", min_size=1, max_size=8).filter(lambda words: bool(words.strip()))
ENDED = WORDS.filter(lambda words: words == words.rstrip())
ID = st.text("abcXYZ09_-", min_size=1, max_size=12)
INPUT = st.dictionaries(
    WORDS, st.recursive(st.integers() | WORDS | st.booleans() | st.none(), st.lists), max_size=3
)
ADDRESSES = st.text("abc", min_size=1, max_size=5).map("https://images.test/{}".format)
BASE64 = st.binary(min_size=1, max_size=9).map(lambda data: data.hex())


def anthropic_text(words: str) -> Json:
    return {"type": "text", "text": words}


ANTHROPIC_IMAGES = st.builds(
    lambda data: {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": data},
    },
    BASE64,
) | st.builds(lambda url: {"type": "image", "source": {"type": "url", "url": url}}, ADDRESSES)
SHOWN = st.lists(st.builds(anthropic_text, WORDS) | ANTHROPIC_IMAGES, min_size=1, max_size=3)


@st.composite
def anthropic_histories(draw: st.DrawFn) -> list[Json]:
    history: list[Json] = [{"role": "user", "content": draw(SHOWN)}]
    for turn in range(draw(st.integers(0, 3))):
        said = [anthropic_text(draw(ENDED))] if draw(st.booleans()) else []
        ids = [f"{id_}_{turn}" for id_ in draw(st.lists(ID, max_size=3, unique=True))]
        uses = [
            {"type": "tool_use", "id": id_, "name": draw(ID), "input": draw(INPUT)} for id_ in ids
        ]
        results = [
            {"type": "tool_result", "tool_use_id": id_, "content": draw(WORDS)}
            for id_ in draw(st.permutations(ids))
        ]
        if not said and not uses:
            said = [anthropic_text("then")]
        history.append({"role": "assistant", "content": [*said, *uses]})
        shown = draw(SHOWN) if not results or draw(st.booleans()) else []
        history.append({"role": "user", "content": [*results, *shown]})
    return history


@given(anthropic_histories())
def test_from_anthropic_through_openai_and_back(history: list[Json]) -> None:
    body = json.dumps({"model": "m", "max_tokens": 9, "messages": history}).encode()
    there = openai_chat.encode_request(anthropic_messages.decode_request(body))
    back = anthropic_messages.encode_request(openai_chat.decode_request(there))
    assert json.loads(back)["messages"] == history


OPENAI_IMAGES = st.builds(
    lambda url: {"type": "image_url", "image_url": {"url": url}},
    ADDRESSES | BASE64.map("data:image/webp;base64,{}".format),
)
PARTS = st.lists(
    st.builds(lambda words: {"type": "text", "text": words}, WORDS) | OPENAI_IMAGES,
    min_size=2,
    max_size=3,
)


@st.composite
def openai_histories(draw: st.DrawFn) -> list[Json]:
    history: list[Json] = []
    if draw(st.booleans()):
        history.append({"role": "system", "content": draw(WORDS)})
    history.append({"role": "user", "content": draw(WORDS | PARTS)})
    for turn in range(draw(st.integers(0, 3))):
        ids = [f"{id_}_{turn}" for id_ in draw(st.lists(ID, max_size=3, unique=True))]
        calls = [
            {
                "id": id_,
                "type": "function",
                "function": {"name": draw(ID), "arguments": json.dumps(draw(INPUT))},
            }
            for id_ in ids
        ]
        said: Json = {"role": "assistant", "content": draw(ENDED)}
        if calls:
            said = {**said, "content": draw(st.none() | WORDS), "tool_calls": calls}
        history.append(said)
        history += [
            {"role": "tool", "tool_call_id": id_, "content": draw(WORDS)}
            for id_ in draw(st.permutations(ids))
        ]
        if not calls or draw(st.booleans()):
            history.append({"role": "user", "content": draw(WORDS | PARTS)})
    return history


@given(openai_histories())
def test_from_openai_through_anthropic_and_back(history: list[Json]) -> None:
    body = json.dumps({"model": "m", "messages": history}).encode()
    there = anthropic_messages.encode_request(openai_chat.decode_request(body))
    back = openai_chat.encode_request(anthropic_messages.decode_request(there))
    assert _parsed(json.loads(back)["messages"]) == _parsed(history)


def _parsed(history: list[Json]) -> list[Json]:
    """Arguments as values: the text of a JSON document may be written in several ways."""
    for message in history:
        for call in message.get("tool_calls", ()):
            if isinstance(call["function"]["arguments"], str):
                call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return history
