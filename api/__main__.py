"""One API process: ``python -m api --host 127.0.0.1 --port 8080``."""

import argparse
import socket
import sys

from pydantic import ValidationError

from api.app import create_app
from gateway import log
from gateway import settings as settings_of

BACKLOG = 2048


def main() -> int:
    arguments = _arguments()
    try:
        settings = settings_of.load()
    except ValidationError as error:
        sys.stderr.write(f"sluice: {error}\n")
        return 1
    log.configure(settings.log_level, settings.log_format)
    host, port = arguments.host or settings.api.host, arguments.port or settings.port
    app = create_app(settings)
    app.run(
        sock=_listen(host, port, share=arguments.reuse_port),
        single_process=True,
        access_log=False,
        motd=False,
    )
    return 0


def _listen(host: str, port: int, *, share: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if share:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((host, port))
    listener.listen(BACKLOG)
    return listener


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m api", description=__doc__)
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--port", type=int, help="port to listen on")
    parser.add_argument(
        "--reuse-port", action="store_true", help="share the port with other API processes"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
