"""python -m tests.upstream: run the simulator until it is told to stop."""

import argparse
import asyncio
import ctypes
import json
import os
import signal
import sys
from pathlib import Path

import uvloop

from tests.upstream import faults
from tests.upstream.journal import DEFAULT_BODY_BYTES, DEFAULT_LIMIT, Journal
from tests.upstream.server import start
from tests.upstream.world import World

PR_SET_PDEATHSIG = 1
SPEAKS = """\
Pretends to be the vendors until it is told to stop. It speaks

    OpenAI      at http://HOST:PORT/v1         chat, completions, embeddings, moderations, images,
                                               audio, videos, models
    Anthropic   at http://HOST:PORT/anthropic  messages, count_tokens, models
    Midjourney  at http://HOST:PORT/mj

and takes any key and any model. With a path in front (/east/v1) it is a vendor of its own.
"""
PROMPTS = """\
What a prompt can ask for

    call:A,B        the answer calls the tools A and B, in parallel
    flag:CATEGORY   a moderation flags that category

"""


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    if options.parent:
        _die_with(options.parent)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(options))


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="sluice demo-upstream",
        description=SPEAKS,
        epilog=PROMPTS + (faults.__doc__ or ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--ready-file", type=Path, help="gets JSON once we listen")
    parser.add_argument("--journal-limit", type=int, default=DEFAULT_LIMIT, help="entries kept")
    parser.add_argument(
        "--journal-bodies",
        type=int,
        default=DEFAULT_BODY_BYTES,
        help="bytes kept of a request's body, 0: none",
    )
    parser.add_argument("--parent", type=int, default=0, help="end when this process ends")
    return parser.parse_args(arguments)


async def _run(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    world = World(Journal(options.journal_limit, options.journal_bodies))
    runner, port = await start(world, options.host, options.port)
    try:
        _announce(options, port)
        await stop.wait()
    finally:
        await runner.cleanup()


def _announce(options: argparse.Namespace, port: int) -> None:
    base_url = f"http://{options.host}:{port}"
    ready = {"host": options.host, "port": port, "base_url": base_url, "pid": os.getpid()}
    if options.ready_file:
        fresh = options.ready_file.with_name(f"{options.ready_file.name}.{os.getpid()}")
        fresh.write_text(json.dumps(ready))
        fresh.replace(options.ready_file)
    vendors = f"OpenAI at {base_url}/v1, Anthropic at {base_url}/anthropic"
    sys.stdout.write(f"simulated upstream on {base_url} ({vendors})\n")
    sys.stdout.flush()


def _die_with(parent: int) -> None:
    """Linux only; elsewhere the parent has to stop us."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # It may have died before we asked.
    if os.getppid() != parent:
        sys.exit(1)


if __name__ == "__main__":
    main()
