"""The bench runs: one short load through all of its machinery, so that it cannot rot."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


needs_compiler = pytest.mark.skipif(
    not shutil.which("cc"), reason="the bench's load generator is written in C"
)


@needs_compiler
def test_a_second_of_load_is_measured_and_its_books_agree(tmp_path: Path) -> None:
    results, shown = _bench(tmp_path, "--only", "json-c1,drain-sqlite", "--seconds", "1")

    assert {run["target"] for run in results["runs"]} == {"direct", "sluice"}
    assert all(run["requests"] for run in results["runs"])
    [audit] = results["audits"]
    assert audit["answered"] == audit["sent"] == audit["charges"] > 0
    assert audit["charged_nanos"] == audit["expected_nanos"]
    assert audit["differences"] == []
    assert "### Targets" in shown


@needs_compiler
def test_the_four_pairs_of_dialects_are_measured_and_every_answer_is_whole(tmp_path: Path) -> None:
    results, shown = _bench(tmp_path, "--only", "pairs", "--seconds", "1")

    loads = {line["load"] for line in results["pairs"]}
    assert loads == {"stream10ms-c32", "stream-c32", "json-c32"}
    assert len(results["pairs"]) == 4 * len(loads)
    assert all(run["requests"] for run in results["runs"])
    said = ("scenario", "target", "status", "broken", "reset", "timeout", "bad_sample")
    seen = [{name: run[name] for name in said} for run in results["runs"]]
    assert not any(line["bad"] for line in results["pairs"]), json.dumps(seen, indent=1)
    assert "### Client and upstream in different dialects" in shown


def _bench(folder: Path, *what: str) -> tuple[dict[str, Any], str]:
    """What was written as JSON, and what was shown."""
    out = folder / "results.json"
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", *what, "--rounds", "1", "--out", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text()), done.stdout
