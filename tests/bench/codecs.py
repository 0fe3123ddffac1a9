"""``python -m tests.bench.codecs``: what one event of a stream costs each watcher, in process.

CPU time of the best of several rounds, without sockets: for comparing two versions of a
watcher with each other. What a whole stream costs the gateway is measured by ``pairs``.
"""

import argparse
import cProfile
import pstats
import sys
import time
from collections.abc import Callable, Mapping

from gateway.protocols.anthropic_messages import watch as anthropic_watch
from gateway.protocols.codecs import ANTHROPIC, OPENAI
from gateway.protocols.converting import Converting
from gateway.protocols.exchange import Codec, Watcher
from gateway.protocols.openai_chat import watch as openai_watch
from gateway.protocols.traits import NO_TRAITS
from tests.bench import recorded

ROUNDS = 15
STREAMS = 40
MODEL = "fake"

Make = Callable[[], Watcher]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.codecs", description=__doc__)
    parser.add_argument("--profile", choices=WATCHERS, help="show where one of them spends it")
    options = parser.parse_args()
    if options.profile:
        _profile(*WATCHERS[options.profile])
        return 0
    for name, (make, events) in WATCHERS.items():
        best = min(_cpu_seconds(make, events) for _ in range(ROUNDS))
        each_us = best * 1e6 / (STREAMS * len(events))
        sys.stdout.write(f"{name:28} {each_us:6.2f} us of CPU an event\n")
    return 0


def _converting(upstream: Codec, client: Codec) -> Make:
    def make() -> Watcher:
        writer = client.writer(MODEL, include_usage=True, input_tokens=25)
        return Converting(upstream.reader(NO_TRAITS), writer)

    return make


def _cpu_seconds(make: Make, events: list[bytes]) -> float:
    start = time.process_time()
    for _ in range(STREAMS):
        see = make().see
        for event in events:
            see(event)
    return time.process_time() - start


def _profile(make: Make, events: list[bytes]) -> None:
    profiler = cProfile.Profile()
    profiler.runcall(_cpu_seconds, make, events)
    pstats.Stats(profiler, stream=sys.stdout).sort_stats("tottime").print_stats(25)


_OPENAI = recorded.openai()
_ANTHROPIC = recorded.anthropic()

# Named as client from upstream.
WATCHERS: Mapping[str, tuple[Make, list[bytes]]] = {
    "openai-from-openai": (lambda: openai_watch.Watcher(MODEL), _OPENAI),
    "anthropic-from-anthropic": (lambda: anthropic_watch.Watcher(MODEL), _ANTHROPIC),
    "anthropic-from-openai": (_converting(OPENAI, ANTHROPIC), _OPENAI),
    "openai-from-anthropic": (_converting(ANTHROPIC, OPENAI), _ANTHROPIC),
}


if __name__ == "__main__":
    sys.exit(main())
