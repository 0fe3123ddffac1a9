"""One member gets another value; every other byte stays as it came."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocols import sse
from gateway.protocols.renaming import Renaming, renamed

MODEL = ("model",)
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
VALUES = st.recursive(
    st.none() | st.integers(-9, 9) | NAMES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (b'{"model":"up","n":1.10}', b'{"model":"asked","n":1.10}'),
        (b'{"n":1e2, "model": "up"}', b'{"n":1e2, "model": "asked"}'),
        (b'{"model":"asked","n":1.10}', b'{"model":"asked","n":1.10}'),
        (
            b'{"a":"\\"model\\":\\"up\\"","model":"up"}',
            b'{"a":"\\"model\\":\\"up\\"","model":"asked"}',
        ),
    ],
)
def test_the_rest_of_a_document_stays_byte_for_byte(document: bytes, expected: bytes) -> None:
    model = json.loads(document)["model"]
    assert renamed(document, model, "asked", MODEL) == expected


@pytest.mark.parametrize(
    "document",
    [
        b'{"inner":{"model":"up"},"model":"up"}',
        b'{"model":"up","calls":[{"model":"up"}]}',
        b'{"model" : "up","calls":[{"model":"up"}]}',
        b'{"model": "up","calls":[{"model":"up"}]}',
        b'{"calls":[{"model": "up"}],"model":"up"}',
        b'{"m\\u006fdel":"up"}',
    ],
)
def test_only_the_member_at_its_place_is_exchanged(document: bytes) -> None:
    expected = {**json.loads(document), "model": "asked"}
    assert json.loads(renamed(document, "up", "asked", MODEL)) == expected


@given(st.dictionaries(NAMES, VALUES, max_size=3), NAMES, NAMES, st.booleans())
def test_whatever_else_is_in_a_document_it_keeps_its_meaning(
    fields: dict[str, object],
    model: str,
    asked: str,
    ascii_only: bool,  # noqa: FBT001
) -> None:
    document = json.dumps({**fields, "model": model}, ensure_ascii=ascii_only).encode()
    found = json.loads(renamed(document, model, asked, MODEL))
    assert found == {**fields, "model": asked}


def test_an_event_keeps_its_name_its_line_ends_and_its_other_fields() -> None:
    event = b'id: 7\r\nevent: message_start\r\ndata: {"message": {"model": "up"}}\r\n\r\n'
    found = Renaming("asked").apply(event, sse.data_of(event), "up", ("message", "model"))
    assert found == event.replace(b'"up"', b'"asked"')


def test_an_event_that_writes_the_name_in_its_own_way_is_written_anew() -> None:
    event = b'event: x\ndata: {"message": {"model" :"up"}}\n\n'
    found = Renaming("asked").apply(event, sse.data_of(event), "up", ("message", "model"))
    assert json.loads(sse.data_of(found)) == {"message": {"model": "asked"}}
    assert sse.name_of(found) == b"x"


def test_names_may_change_from_event_to_event() -> None:
    renaming = Renaming("asked")
    for model in ("one", "two", "one", "asked", "two"):
        event = sse.frame(json.dumps({"model": model, "n": 1}).encode())
        found = renaming.apply(event, sse.data_of(event), model, MODEL)
        assert json.loads(sse.data_of(found)) == {"model": "asked", "n": 1}
