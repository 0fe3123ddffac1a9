"""A client on a bare socket, which can stall and leave as no library lets it."""

import json
import socket
import struct
from types import TracebackType
from typing import Any, Self

from tests.stack.stack import KEY

ANSWER_SECONDS = 20
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class RawClient:
    def __init__(self, port: int, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(ANSWER_SECONDS)
        self.socket.connect(("127.0.0.1", port))
        self.port: int = self.socket.getsockname()[1]
        self.received = b""

    def post(self, path: str, body: bytes, *, key: str = KEY, agent: str = "raw") -> None:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {key}\r\n"
            f"User-Agent: {agent}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.send(head.encode() + body)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read_until(self, text: bytes) -> None:
        """Until the text has been received; raises EOFError if the server ends before."""
        while text not in self.received:
            if not self._read_once():
                message = f"no {text!r} in {self.received!r}"
                raise EOFError(message)

    def read_to_end(self) -> bytes:
        """Everything, until the server closes or resets the connection."""
        try:
            while self._read_once():
                pass
        except ConnectionError:
            pass
        return self.received

    def read_answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of one answer with a content length, or up to the end."""
        self.read_until(b"\r\n\r\n")
        head, _, rest = self.received.partition(b"\r\n\r\n")
        status, headers = parse_head(head)
        length = int(headers.get("content-length", "0"))
        while len(rest) < length and self._read_once():
            rest = self.received.partition(b"\r\n\r\n")[2]
        self.received = rest[length:]
        return status, headers, rest[:length]

    @property
    def body(self) -> bytes:
        """What has come of a chunked body, without the frames."""
        rest, body = self.received.partition(b"\r\n\r\n")[2], b""
        while b"\r\n" in rest:
            size, _, rest = rest.partition(b"\r\n")
            body += rest[: int(size, 16)]
            rest = rest[int(size, 16) + 2 :]
        return body

    @property
    def events(self) -> list[bytes]:
        """The data of every whole event that has come."""
        whole = self.body.split(b"\n\n")[:-1]
        return [event.removeprefix(b"data: ") for event in whole]

    @property
    def text(self) -> str:
        """The words of the answer that have come."""
        chunks: list[Any] = [json.loads(data) for data in self.events if data != b"[DONE]"]
        choices = [choice for chunk in chunks for choice in chunk.get("choices", ())]
        return "".join(choice["delta"].get("content") or "" for choice in choices)

    def leave(self, how: str) -> None:
        """``fin``: close; ``rst``: reset; ``half``: send no more, but still listen."""
        if how == "half":
            self.socket.shutdown(socket.SHUT_WR)
            return
        if how == "rst":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.socket.close()

    def _read_once(self) -> bool:
        data = self.socket.recv(65536)
        self.received += data
        return bool(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()


def parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return int(first.split(" ")[1]), {name.lower(): value.strip() for name, _, value in pairs}
