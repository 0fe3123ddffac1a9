"""The bench runs: one short load through all of its machinery, so that it cannot rot."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not shutil.which("cc"), reason="the bench's load generator is written in C")
def test_a_second_of_load_is_measured_and_its_books_agree(tmp_path: Path) -> None:
    out = tmp_path / "results.json"
    what = ["--only", "json-c1,drain-sqlite", "--rounds", "1", "--seconds", "1"]

    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", *what, "--out", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    results = json.loads(out.read_text())
    assert {run["target"] for run in results["runs"]} == {"direct", "sluice"}
    assert all(run["requests"] for run in results["runs"])
    [audit] = results["audits"]
    assert audit["answered"] == audit["sent"] == audit["charges"] > 0
    assert audit["charged_nanos"] == audit["expected_nanos"]
    assert audit["differences"] == []
    assert "### Targets" in done.stdout
