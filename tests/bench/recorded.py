"""One answer as the events of either dialect's stream, as the vendors frame them."""

from itertools import chain

TEXT_EVENTS = 200

_CHUNK = (
    '{"id":"chatcmpl-fake0000000000000001","object":"chat.completion.chunk","created":1700000000,'
    '"model":"fake","service_tier":"default","system_fingerprint":"fp_fake",'
)
_DELTA = (
    '"choices":[{"index":0,"delta":%s,"logprobs":null,"finish_reason":%s}],"usage":null,'
    '"obfuscation":"a1b2c3"}'
)
_USAGE = '"choices":[],"usage":{"prompt_tokens":25,"completion_tokens":200,"total_tokens":225}}'
_MESSAGE = (
    '{"type":"message_start","message":{"id":"msg_01fake","type":"message","role":"assistant",'
    '"model":"fake","content":[],"stop_reason":null,"stop_sequence":null,'
    '"usage":{"input_tokens":25,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,'
    '"output_tokens":1,"service_tier":"standard"}}}'
)
_ENDING = (
    '{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
    '"usage":{"output_tokens":200}}'
)


def openai(texts: int = TEXT_EVENTS) -> list[bytes]:
    """With the usage that the gateway asks for."""
    said = (f'{{"content":" tok{number:05}"}}' for number in range(texts))
    deltas = chain(['{"role":"assistant","content":""}'], said)
    chunks = [_DELTA % (delta, "null") for delta in deltas] + [_DELTA % ("{}", '"stop"')]
    chunks.append(_USAGE)
    return [f"data: {_CHUNK}{chunk}\n\n".encode() for chunk in chunks] + [b"data: [DONE]\n\n"]


def anthropic(texts: int = TEXT_EVENTS) -> list[bytes]:
    begin = '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}'
    delta = (
        '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" tok%05d"}}'
    )
    return [
        _event("message_start", _MESSAGE),
        _event("content_block_start", begin),
        _event("ping", '{"type":"ping"}'),
        *(_event("content_block_delta", delta % number) for number in range(texts)),
        _event("content_block_stop", '{"type":"content_block_stop","index":0}'),
        _event("message_delta", _ENDING),
        _event("message_stop", '{"type":"message_stop"}'),
    ]


def _event(name: str, data: str) -> bytes:
    return f"event: {name}\ndata: {data}\n\n".encode()
