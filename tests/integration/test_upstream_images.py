"""The simulator's images, asked by OpenAI's own client."""

import base64
import hashlib
import struct
from collections.abc import Iterator

import httpx
import openai
import pytest

from tests.upstream.asking import KEY, only_entry
from tests.upstream.client import Simulator

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator.start(tmp_path_factory.mktemp("upstream")) as simulator:
        yield simulator


@pytest.fixture
def upstream(running: Simulator) -> Simulator:
    running.reset()
    return running


@pytest.fixture
def client(upstream: Simulator) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=upstream.openai_url, api_key="sk-test", max_retries=0) as client:
        yield client


def size_of(png: bytes) -> tuple[int, int]:
    assert png.startswith(PNG)
    width, height = struct.unpack_from(">II", png, 16)
    return width, height


def test_images_by_address(client: openai.OpenAI, upstream: Simulator) -> None:
    answer = client.images.generate(model="demo-image", prompt="a cat", n=3, size="512x256")
    urls = [image.url or "" for image in answer.data or []]
    assert all(url.startswith(f"{upstream.base_url}/files/") for url in urls)
    pictures = [httpx.get(url, trust_env=False) for url in urls]
    assert {picture.headers["content-type"] for picture in pictures} == {"image/png"}
    assert {size_of(picture.content) for picture in pictures} == {(512, 256)}
    assert len({picture.content for picture in pictures}) == 3
    assert answer.usage is None
    (work,) = upstream.works()
    assert (work["kind"], work["units"], work["state"]) == ("image.generation", 3, "completed")
    assert (work["model"], work["key"]) == ("demo-image", "sk-test")


def test_images_in_base64_are_the_same_as_by_address(client: openai.OpenAI) -> None:
    named = client.images.generate(model="demo-image", prompt="a cat", size="64x64").data or []
    inline = client.images.generate(
        model="demo-image", prompt="a cat", size="64x64", response_format="b64_json"
    ).data
    fetched = httpx.get(named[0].url or "", trust_env=False).content
    assert base64.b64decode((inline or [])[0].b64_json or "") == fetched


def test_gpt_images_report_what_they_cost(client: openai.OpenAI, upstream: Simulator) -> None:
    answer = client.images.generate(
        model="gpt-image-2",
        prompt="a red cat",
        n=2,
        size="1024x1536",
        quality="low",
        background="transparent",
    )
    assert [size_of(base64.b64decode(image.b64_json or "")) for image in answer.data or []] == [
        (1024, 1536)
    ] * 2
    assert (answer.quality, answer.size, answer.background) == ("low", "1024x1536", "transparent")
    assert answer.usage
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (3, 2 * 408)
    assert answer.usage.input_tokens_details.text_tokens == 3
    assert answer.usage.output_tokens_details
    assert answer.usage.output_tokens_details.image_tokens == 2 * 408
    assert only_entry(upstream)["usage"]["completion_tokens"] == 816


def test_edits_take_several_images_and_a_mask(client: openai.OpenAI, upstream: Simulator) -> None:
    answer = client.images.edit(
        model="gpt-image-2-u9",
        prompt="a cat",
        image=[("a.png", PNG + b"a"), ("b.png", PNG + b"b")],
        mask=("m.png", PNG),
        n=2,
    )
    assert len(answer.data or []) == 2
    assert answer.usage
    assert answer.usage.input_tokens_details.image_tokens == 3 * 85
    assert answer.usage.output_tokens == 9
    body = only_entry(upstream)["body"]
    assert body["fields"]["prompt"] == "a cat"
    assert [(file["filename"], file["bytes"]) for file in body["files"]] == [
        ("a.png", 9),
        ("b.png", 9),
        ("m.png", 8),
    ]
    assert body["files"][0]["sha256"] == hashlib.sha256(PNG + b"a").hexdigest()
    assert upstream.works()[0]["kind"] == "image.edit"


@pytest.mark.filterwarnings("ignore:deprecated")
def test_variations(client: openai.OpenAI, upstream: Simulator) -> None:
    answer = client.images.create_variation(model="demo-image", image=("a.png", PNG), n=2)
    assert len({image.url for image in answer.data or []}) == 2
    assert upstream.works()[0]["kind"] == "image.variation"


def test_images_are_streamed(client: openai.OpenAI) -> None:
    stream = client.images.generate(
        model="gpt-image-2", prompt="a cat", size="64x64", stream=True, partial_images=2
    )
    events = list(stream)
    assert [event.type for event in events] == [
        "image_generation.partial_image",
        "image_generation.partial_image",
        "image_generation.completed",
    ]
    assert len({event.b64_json for event in events}) == 3
    whole = client.images.generate(model="gpt-image-2", prompt="a cat", size="64x64")
    assert events[-1].b64_json == (whole.data or [])[0].b64_json


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"n": 11, "prompt": "x"}, "n"),
        ({"size": "huge", "prompt": "x"}, "size"),
        ({"size": "0x10", "prompt": "x"}, "size"),
        ({}, "prompt"),
        ({"output_format": "webp", "prompt": "x"}, "output_format"),
        ({"response_format": "tiff", "prompt": "x"}, "response_format"),
    ],
)
def test_refused_images(upstream: Simulator, body: dict[str, object], param: str) -> None:
    url = f"{upstream.openai_url}/images/generations"
    answer = httpx.post(url, json={"model": "demo", **body}, headers=KEY, trust_env=False)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert upstream.works() == []
