"""``python -m beat``: rings until SIGTERM. Any number of beats may run."""

import signal
import threading

from beat.ringer import Ringer
from beat.schedule import build_schedule
from gateway import log, queue, settings

# A frozen Redis must not keep a stopping beat for long.
SOCKET_TIMEOUT_SECONDS = 2.0


def main() -> None:
    given = settings.load()
    log.configure(given.log_level, given.log_format)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    app = queue.configure(given, socket_timeout_seconds=SOCKET_TIMEOUT_SECONDS)
    Ringer(app, build_schedule(given)).run(stop)


if __name__ == "__main__":
    main()
