"""An upstream that answers word for word what a test wrote down, where no simulator would."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Scripted:
    body: bytes
    content_type: str = "text/event-stream"
    status: int = 200


Say = Callable[[Mapping[str, str]], Scripted]


class ScriptedUpstream:
    """Answers the first request with the first word, and so on; the last word is repeated."""

    def __init__(self, *words: Scripted | Say) -> None:
        self.bodies: list[Any] = []
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = self.rfile.read(int(self.headers["content-length"]))
                word = words[min(len(upstream.bodies), len(words) - 1)]
                upstream.bodies.append(json.loads(sent))
                said = (
                    word
                    if isinstance(word, Scripted)
                    else word({n.lower(): v for n, v in self.headers.items()})
                )
                self.send_response(said.status)
                self.send_header("content-type", said.content_type)
                self.end_headers()
                self.wfile.write(said.body)

            def log_message(self, *_: object) -> None:
                """Not to the terminal."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def openai_stream(*texts: str, is_whole: bool) -> Scripted:
    """A stream of these pieces; one that is not whole is cut off behind them."""
    chunks: list[Any] = [{"role": "assistant", "content": ""}, *({"content": t} for t in texts)]
    events: list[dict[str, Any]] = [
        {"id": "chatcmpl-1", "model": "m", "choices": [{"index": 0, "delta": delta}]}
        for delta in chunks
    ]
    if is_whole:
        ending = {"index": 0, "delta": {}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 5, "completion_tokens": len(texts), "total_tokens": 9}
        events.append({"id": "chatcmpl-1", "model": "m", "choices": [ending], "usage": usage})
    data = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    return Scripted((data + "data: [DONE]\n\n" * is_whole).encode())


def anthropic_stream(*texts: str, is_whole: bool) -> Scripted:
    """The same in the other dialect."""
    usage = {"input_tokens": 5, "output_tokens": len(texts)}
    message: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant"}
    message |= {"model": "m", "content": [], "usage": usage}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    ]
    events += [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
        for text in texts
    ]
    if is_whole:
        end = {"stop_reason": "end_turn", "stop_sequence": None}
        events.append({"type": "content_block_stop", "index": 0})
        events.append({"type": "message_delta", "delta": end, "usage": usage})
        events.append({"type": "message_stop"})
    frames = (f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    return Scripted("".join(frames).encode())
