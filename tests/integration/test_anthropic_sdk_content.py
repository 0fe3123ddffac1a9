"""The official ``anthropic`` package: pictures, documents, schemas, and the SDK's own helpers."""

from collections.abc import Generator
from pathlib import Path

import anthropic
import pydantic
import pytest

from tests.integration.sdk_models import (
    ANSWER,
    HELLO,
    IMAGE_URL,
    PDF,
    PERSON,
    PNG,
    both,
    open_anthropic,
    sent,
    stack_of_pairs,
)
from tests.stack import Stack
from tests.stack.stack import KEY


class Person(pydantic.BaseModel):
    name: str
    age: int


@anthropic.beta_tool
def get_time(city: str) -> str:
    """Tell the time.

    Args:
        city: where
    """
    return f"12:30 in {city}"


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    with stack_of_pairs(sqlite_template, {"chat": "sim-chat"}) as running:
        yield running


@pytest.fixture
def client(stack: Stack) -> Generator[anthropic.Anthropic]:
    with open_anthropic(stack) as opened:
        yield opened


def text_of(message: anthropic.types.Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


@both
def test_images_travel_as_data_or_as_addresses(
    stack: Stack, client: anthropic.Anthropic, protocol: str
) -> None:
    client.messages.create(
        model=f"{protocol}-chat",
        max_tokens=100,
        messages=[
            {
                "role": "user",
                "content": [
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": PNG},
                    },
                    {"type": "image", "source": {"type": "url", "url": IMAGE_URL}},
                    {"type": "text", "text": "what is it?"},
                ],
            }
        ],
    )
    content = sent(stack)["body"]["messages"][0]["content"]
    assert content[2] == {"type": "text", "text": "what is it?"}
    if protocol == "anthropic":
        assert content[0]["source"] == {"type": "base64", "media_type": "image/png", "data": PNG}
        assert content[1]["source"] == {"type": "url", "url": IMAGE_URL}
    else:
        urls = [part["image_url"]["url"] for part in content[:2]]
        assert urls == [f"data:image/png;base64,{PNG}", IMAGE_URL]


@both
def test_a_document_travels_as_data(
    stack: Stack, client: anthropic.Anthropic, protocol: str
) -> None:
    source: anthropic.types.Base64PDFSourceParam = {
        "type": "base64",
        "media_type": "application/pdf",
        "data": PDF,
    }
    client.messages.create(
        model=f"{protocol}-chat",
        max_tokens=100,
        messages=[
            {
                "role": "user",
                "content": [{"type": "document", "title": "plan.pdf", "source": source}],
            }
        ],
    )
    (part,) = sent(stack)["body"]["messages"][0]["content"]
    if protocol == "anthropic":
        assert part == {"type": "document", "title": "plan.pdf", "source": source}
    else:
        file = {"filename": "plan.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}
        assert part == {"type": "file", "file": file}


@both
def test_structured_output_keeps_to_the_schema(
    stack: Stack, client: anthropic.Anthropic, protocol: str
) -> None:
    answer = client.messages.create(
        model=f"{protocol}-chat",
        max_tokens=100,
        messages=HELLO,
        output_config={"format": {"type": "json_schema", "schema": PERSON}},
    )
    assert text_of(answer) == '{"name":"demo name","age":1}'
    body = sent(stack)["body"]
    if protocol == "anthropic":
        assert body["output_config"]["format"] == {"type": "json_schema", "schema": PERSON}
    else:
        assert body["response_format"]["json_schema"]["schema"] == PERSON


@both
def test_what_nobody_knows_reaches_the_same_protocol_and_no_other(
    stack: Stack, client: anthropic.Anthropic, protocol: str
) -> None:
    unknown = {"brand_new": {"a": [1, 2.5, None]}}
    for stream in (False, True):
        raw = client.messages.with_raw_response.create(
            model=f"{protocol}-chat",
            max_tokens=100,
            messages=HELLO,
            stream=stream,
            extra_body=unknown,
            extra_headers={"anthropic-beta": "odd-2026-01-01", "cookie": "a=b", "x-own": "c"},
        )
        raw.http_response.read()
        entry = sent(stack)
        is_same = protocol == "anthropic"
        assert entry["body"].get("brand_new") == (unknown["brand_new"] if is_same else None)
        assert entry["headers"].get("anthropic-beta") == ("odd-2026-01-01" if is_same else None)
        assert ("anthropic-version" in entry["headers"]) is is_same
        assert {"cookie", "x-own"} & set(entry["headers"]) == set()
        assert KEY not in str(entry)


@both
def test_the_sdk_reads_an_answer_into_a_model(client: anthropic.Anthropic, protocol: str) -> None:
    parsed = client.messages.parse(
        model=f"{protocol}-chat", max_tokens=100, messages=HELLO, output_format=Person
    )
    assert parsed.parsed_output == Person(name="demo name", age=1)


@both
def test_the_beta_routes_are_the_same(client: anthropic.Anthropic, protocol: str) -> None:
    model = f"{protocol}-chat"
    betas = ["odd-2026-01-01"]
    answer = client.beta.messages.create(model=model, max_tokens=100, messages=HELLO, betas=betas)
    assert [block.text for block in answer.content if block.type == "text"] == [ANSWER]
    with client.beta.messages.stream(model=model, max_tokens=100, messages=HELLO) as stream:
        assert "".join(stream.text_stream) == ANSWER
    assert client.beta.messages.count_tokens(model=model, messages=HELLO).input_tokens > 0


@both
def test_the_sdk_runs_tools_by_itself(
    stack: Stack, client: anthropic.Anthropic, protocol: str
) -> None:
    """It asks for a conversation kept at the vendor, and must be told that here is none.

    A key and a backend are chosen for each call: what one vendor's account keeps, another
    does not know; and what it keeps is a prompt that nobody has set money aside for.
    """
    runner = client.beta.messages.tool_runner(
        model=f"{protocol}-chat",
        max_tokens=500,
        tools=[get_time],
        messages=[{"role": "user", "content": "call:get_time"}],
    )
    final = runner.until_done()
    said = [block.text for block in final.content if block.type == "text"]
    assert said == ['The tool returned: "12:30 in demo city". Good.']
    assert "thread" not in sent(stack)["body"]
