"""A relay without a gateway: the same server and transport, and nothing of ours between them.

What the product costs beyond it is what keys, limits, billing and records cost.
"""

import sys
from typing import Any

from sanic import HTTPResponse, Request, Sanic

from gateway.protocols.wire import UpstreamRequest
from gateway.transport import Limits, Transport

App = Sanic[Any, Any]
LIMITS = Limits(connect=5, read=60)
MAX_BYTES = 1 << 20
HEADERS = {"authorization": "Bearer sk-upstream", "content-type": "application/json"}


def create_app(upstream_url: str) -> App:
    app: App = Sanic("bare", configure_logging=False)
    transport = Transport(4096)

    @app.before_server_start
    async def start(_: App) -> None:
        await transport.open()

    @app.post("/v1/chat/completions")
    async def relay(request: Request) -> HTTPResponse | None:
        asked = UpstreamRequest(f"{upstream_url}{request.path}", HEADERS, request.body)
        answer = await transport.send(asked, LIMITS)
        kind = answer.headers["content-type"]
        if kind.startswith("application/json"):
            body = await answer.read(MAX_BYTES)
            answer.close()
            return HTTPResponse(body, answer.status, content_type=kind)
        response = await request.respond(content_type=kind)
        while data := await answer.next_chunk():
            await response.send(data)
        await response.eof()
        answer.close()
        return None

    return app


if __name__ == "__main__":
    create_app(sys.argv[2]).run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        single_process=True,
        access_log=False,
        motd=False,
        backlog=2048,
    )
