"""Multipart forms are read whole, and stand in the journal without their bytes."""

import hashlib

import httpx
import pytest

from tests.upstream.forms import Form, read_form
from tests.upstream.journal import Journal

NASTY = b"\r\n--x\r\n\r\n\0\xff--"


def encode(data: dict[str, object], files: list[tuple[str, tuple[str, bytes]]]) -> httpx.Request:
    return httpx.Request("POST", "http://x", data=data, files=files)


def read(request: httpx.Request) -> Form:
    form = read_form(request.read(), request.headers["content-type"])
    assert form is not None
    return form


def test_fields_and_files() -> None:
    files = [("image[]", ("a.png", NASTY)), ("image[]", ("b ü.png", b"")), ("mask", ("m", b"m"))]
    form = read(encode({"prompt": "a ü cat", "n": "2", "include[]": ["x"]}, files))
    assert form.fields == {"prompt": "a ü cat", "n": "2", "include[]": ["x"]}
    assert [(file.field, file.name, file.data) for file in form.files] == [
        ("image[]", "a.png", NASTY),
        ("image[]", "b ü.png", b""),
        ("mask", "m", b"m"),
    ]
    assert form.files[0].content_type == "image/png"


def test_repeated_fields_are_lists() -> None:
    request = encode({"tag": ["a", "b", "c"]}, [("file", ("f", b"1"))])
    assert read(request).fields == {"tag": ["a", "b", "c"]}


@pytest.mark.parametrize("kept", [0, 10, 100])
def test_a_cut_form_is_none(kept: int) -> None:
    request = encode({"a": "b"}, [("file", ("f", b"12345"))])
    assert read_form(request.read()[:kept], request.headers["content-type"]) is None
    assert read_form(request.read(), "multipart/form-data") is None


def test_the_journal_keeps_sums_of_the_files() -> None:
    form = read(encode({"model": "m"}, [("file", ("f.wav", b"12345"))]))
    for size, kept in ((10, True), (0, False)):
        journal = Journal(body_bytes=size)
        entry = journal.begin("POST", "/", {})
        journal.keep_form(entry, form.describe())
        assert (entry.body is not None) is kept
    described = form.describe()
    assert described["fields"] == {"model": "m"}
    (file,) = described["files"]
    assert file == {
        "field": "file",
        "filename": "f.wav",
        "content_type": file["content_type"],
        "bytes": 5,
        "sha256": hashlib.sha256(b"12345").hexdigest(),
    }
