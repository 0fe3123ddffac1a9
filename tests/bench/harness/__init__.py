"""The C programs of a measurement: compiled when they are first needed."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent


class NoCompilerError(Exception):
    """There is no C compiler on this machine."""


def build(name: str) -> Path:
    """The program made of ``name``.c, newer than its source."""
    source = FOLDER / f"{name}.c"
    folder = Path(tempfile.gettempdir()) / f"sluice-bench-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    program = folder / name
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        fresh = folder / f"{name}.{os.getpid()}"
        subprocess.run([_compiler(), "-O2", "-Wall", "-o", fresh, source], check=True)
        fresh.replace(program)
    return program


def _compiler() -> str:
    for name in (os.environ.get("CC", "cc"), "gcc", "clang"):
        if found := shutil.which(name):
            return found
    message = "the bench needs a C compiler (cc, gcc or clang)"
    raise NoCompilerError(message)
