"""The files of the repository as the tests of its shape read them."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("api", "workers", "beat", "models", "gateway")
MIGRATIONS = "models/migrations/versions/"
# What is made, not written; only asked for where there is no git, as in a copy.
MADE = frozenset(("var", "build", "__pycache__", "sluice.egg-info"))

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file."""

    path: str
    text: str

    @property
    def tree(self) -> ast.Module:
        return parsed(self.text)

    @property
    def is_test(self) -> bool:
        return self.path.startswith("tests/")

    @property
    def is_migration(self) -> bool:
        return self.path.startswith(MIGRATIONS)

    def functions(self) -> Iterator[tuple[str, Function]]:
        """Every function by its dotted name inside the file."""
        yield from _functions(self.tree, "")


@cache
def parsed(text: str) -> ast.Module:
    return ast.parse(text)


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        name = getattr(child, "name", None)
        is_scope = isinstance(child, Function | ast.ClassDef)
        inner = f"{prefix}{name}." if is_scope else prefix
        if isinstance(child, Function):
            yield f"{prefix}{name}", child
        yield from _functions(child, inner)


@cache
def python_files(*folders: str) -> tuple[Source, ...]:
    """All Python files of some folders of the repository."""
    return tuple(
        Source(path.relative_to(ROOT).as_posix(), path.read_text())
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
    )


@cache
def repository_files() -> tuple[Path, ...]:
    """Every file that is or would be committed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    if (ROOT / ".git").exists():
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
        paths = [ROOT / name for name in listed.decode().split("\0") if name]
    else:
        paths = [path for path in ROOT.rglob("*") if not _is_made(path.relative_to(ROOT))]
    return tuple(path for path in sorted(paths) if path.is_file())


def _is_made(path: Path) -> bool:
    hidden = {part for part in path.parts if part.startswith(".")} - {".ci"}
    return bool(MADE & set(path.parts)) or (bool(hidden) and len(path.parts) > 1)


def list_documents() -> list[Path]:
    """What is written for people."""
    return [path for path in repository_files() if path.suffix == ".md"]
