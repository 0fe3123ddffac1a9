"""An answer as a client gets it: its bytes, and what the vendors' own packages make of them."""

import json
from dataclasses import dataclass
from typing import Any, cast

import anthropic
import httpx2
import openai

MESSAGES: list[Any] = [{"role": "user", "content": "replayed"}]
BROKEN_OFF = {"openai": b'"code":"upstream_interrupted"', "anthropic": b"event: error\n"}


@dataclass(frozen=True)
class Told:
    """What a whole answer says."""

    text: str
    thoughts: str
    model: str
    usage: tuple[int, int]  # prompt, completion
    finish: str | None


@dataclass(frozen=True)
class Problem:
    status: int
    code: str | None
    message: str


@dataclass(frozen=True)
class Answer:
    dialect: str
    stream: bool
    status: int
    headers: dict[str, str]
    raw: bytes
    seconds: float = 0

    @property
    def reference(self) -> str:
        return self.headers.get("x-sluice-request") or self.headers["x-request-id"]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The data of all events of a stream but ``[DONE]``."""
        frames = self.raw.decode().split("\n\n")
        assert frames.pop() == "", "the last event is cut off"
        lines = [line for frame in frames for line in frame.split("\n")]
        data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
        return [json.loads(text) for text in data if text != "[DONE]"]

    @property
    def text(self) -> str:
        """The answer's words, also of a stream that broke off."""
        if self.dialect == "openai":
            choices = [choice for event in self.events for choice in event.get("choices", ())]
            return "".join(choice["delta"].get("content") or "" for choice in choices)
        deltas = [event["delta"] for event in self.events if "delta" in event]
        return "".join(delta.get("text") or "" for delta in deltas)

    def told(self) -> Told:
        """As the vendor's package reads it; raises its errors."""
        if self.dialect == "openai":
            return _heard_chunks(self) if self.stream else _heard_completion(self)
        return _heard_message(self)

    def error(self) -> Problem:
        """As the vendor's package reports it."""
        body = json.loads(self.raw)["error"]
        try:
            self.told()
        except (openai.APIStatusError, anthropic.APIStatusError) as error:
            return Problem(error.status_code, body.get("code"), body["message"])
        raise AssertionError(self.raw)

    def assert_broken_off(self) -> None:
        """An error event is the last, nothing says that the answer is complete."""
        *_, last = self.events
        if self.dialect == "openai":
            assert last.keys() == {"error"}
            assert last["error"].keys() == {"message", "type", "code", "param"}
            assert (last["error"]["code"], last["error"]["param"]) == ("upstream_interrupted", None)
            assert b"[DONE]" not in self.raw
            assert b'"finish_reason":"' not in self.raw
            raised: type[Exception] = openai.APIError
        else:
            assert (last["type"], last["error"]["type"]) == ("error", "api_error")
            assert self.raw.count(b"event: error\n") == 1
            assert b"message_stop" not in self.raw
            assert b"message_delta" not in self.raw
            raised = anthropic.APIError
        try:
            self.told()
        except raised:
            return
        raise AssertionError(self.raw)


def _replay(answer: Answer) -> httpx2.Client:
    """The package gets the very bytes that came."""
    kept = {"content-type", "retry-after", "x-request-id"}
    headers = {name: value for name, value in answer.headers.items() if name in kept}
    replayed = httpx2.Response(answer.status, headers=headers, content=answer.raw)
    return httpx2.Client(transport=httpx2.MockTransport(lambda _: replayed))


def _openai(answer: Answer) -> openai.OpenAI:
    return openai.OpenAI(
        api_key="k", base_url="http://replayed", http_client=_replay(answer), max_retries=0
    )


def _heard_completion(answer: Answer) -> Told:
    with _openai(answer) as client:
        got = client.chat.completions.create(model="m", messages=MESSAGES)
    assert got.usage is not None
    message, usage = got.choices[0].message, (got.usage.prompt_tokens, got.usage.completion_tokens)
    thoughts = getattr(message, "reasoning_content", None) or ""
    return Told(message.content or "", thoughts, got.model, usage, got.choices[0].finish_reason)


def _heard_chunks(answer: Answer) -> Told:
    """One stream: one id, one name, one beginning, one end."""
    with _openai(answer) as client:
        chunks = list(client.chat.completions.create(model="m", messages=MESSAGES, stream=True))
    assert answer.raw.endswith(b"data: [DONE]\n\n")
    assert answer.raw.count(b"[DONE]") == 1
    assert len({chunk.id for chunk in chunks}) == 1
    (model,) = {chunk.model for chunk in chunks}
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert sum(bool(delta.role) for delta in deltas) == 1
    assert deltas[0].role == "assistant"
    ends = [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason]
    usages = [chunk.usage for chunk in chunks if chunk.usage]
    assert (len(ends), len(usages)) == (1, 1), answer.raw
    text = "".join(delta.content or "" for delta in deltas)
    thoughts = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
    counted = (usages[0].prompt_tokens, usages[0].completion_tokens)
    return Told(text, thoughts, model, counted, ends[0])


def _heard_message(answer: Answer) -> Told:
    client = anthropic.Anthropic(
        api_key="k", base_url="http://replayed", http_client=_replay(answer), max_retries=0
    )
    with client:
        if answer.stream:
            with client.messages.stream(max_tokens=9, model="m", messages=MESSAGES) as events:
                message = cast("anthropic.types.Message", events.get_final_message())
            _check_blocks(answer.events)
        else:
            message = client.messages.create(max_tokens=9, model="m", messages=MESSAGES)
    texts = [block.text for block in message.content if block.type == "text"]
    thoughts = [block.thinking for block in message.content if block.type == "thinking"]
    usage = (message.usage.input_tokens, message.usage.output_tokens)
    return Told("".join(texts), "".join(thoughts), message.model, usage, message.stop_reason)


def _check_blocks(events: list[dict[str, Any]]) -> None:
    """One message, whose blocks follow one another, each begun and ended once."""
    kinds = [event["type"] for event in events]
    assert (kinds[0], kinds[-2:]) == ("message_start", ["message_delta", "message_stop"])
    assert kinds.count("message_start") == kinds.count("message_stop") == 1
    begun, is_open = -1, False
    for event in events:
        if event["type"] == "content_block_start":
            begun += 1
            assert (event["index"], is_open) == (begun, False)
            is_open = True
        elif event["type"].startswith("content_block"):
            assert (event["index"], is_open) == (begun, True)
            is_open = event["type"] != "content_block_stop"
    assert not is_open
