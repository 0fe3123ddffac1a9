"""Where the API process spends its time: samples of its stacks under load."""

import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from tests.bench import load, measures
from tests.bench.load import Target, Timing
from tests.bench.measures import Plan
from tests.bench.scenarios import JSON_C32, STREAM_C256, Scenario

SAMPLES_PER_SECOND = 500
SHOWN = 60
LOOP_THREAD = "MainThread"
SCENARIOS = (JSON_C32, STREAM_C256)


def profile(plan: Plan, folder: Path, seconds: float) -> str:
    """Write ``<scenario>.folded`` (speedscope opens it) and return the lists of self time."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    with measures.sqlite_gateway_alone(plan) as (ours, _):
        target = ours.target(ours.add_api(ours.pinning.api[0]), ours.apis)
        for scenario in SCENARIOS:
            samples = folder / f"{scenario.name}.folded"
            _record(target, scenario, samples, (seconds, ours.pinning.load))
            listing = self_times(samples.read_text())
            (folder / f"{scenario.name}.txt").write_text(listing)
            parts.append(f"### {scenario.name}, self time\n\n{listing}")
    return "\n".join(parts)


def _record(
    target: Target, scenario: Scenario, samples: Path, how: tuple[float, tuple[int, ...]]
) -> None:
    seconds, cpus = how
    lasting = Scenario(
        scenario.name,
        scenario.connections,
        scenario.model,
        scenario.stream,
        seconds + 2,
        scenario.warmup_seconds,
    )

    def put_load() -> None:
        measures.say(load.run(target, lasting, Timing(0, cpus)))

    loading = threading.Thread(target=put_load)
    loading.start()
    time.sleep(scenario.warmup_seconds + 0.5)
    pid = next(iter(target.parts.values()))[0]
    program = str(Path(sys.executable).parent / "py-spy")
    what = ["--pid", str(pid), "--output", str(samples), "--format", "raw", "--function"]
    what.append("--threads")
    how_long = ["--duration", str(int(seconds)), "--rate", str(SAMPLES_PER_SECOND)]
    subprocess.run(
        [program, "record", *what, *how_long], check=True, stdout=subprocess.DEVNULL, stderr=None
    )
    loading.join()


def self_times(folded: str) -> str:
    """Of the event loop's thread: self time by package, then by function."""
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for line in folded.splitlines():
        stack, _, samples = line.rpartition(" ")
        thread, *frames = stack.split(";")
        if LOOP_THREAD not in thread or not frames:
            continue
        own[frames[-1]] += int(samples)
        for frame in set(frames):
            within[frame] += int(samples)
    total = max(1, own.total())
    packages: Counter[str] = Counter()
    for frame, count in own.items():
        packages[_package_of(frame)] += count
    lines = [" self %  package"]
    lines += [f"{count / total:7.1%}  {name}" for name, count in packages.most_common()]
    lines += ["", " self %  total %  function"]
    lines += [
        f"{count / total:7.1%} {within[frame] / total:8.1%}  {frame}"
        for frame, count in own.most_common(SHOWN)
    ]
    return "\n".join(lines) + "\n"


def _package_of(frame: str) -> str:
    """Two levels of our own core, one of everybody else."""
    if "_run_server_forever" in frame:
        return "uvloop (C: event loop, sockets)"
    path = frame.rpartition("(")[2].partition(":")[0].split("/")
    if len(path) == 1:
        return "sanic (generated)" if path[0].startswith("http1") else "standard library"
    depth = 2 if path[0] == "gateway" else 1
    return "/".join(path[:depth]).removesuffix(".py")
