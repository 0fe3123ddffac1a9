"""Rules about the code that the linter cannot know; each names where it does not hold, and why."""

import ast
import re
from collections.abc import Callable, Iterator

from tests.architecture.sources import PRODUCT, ROOT, Source, python_files

# The one place that begins, commits and rolls back; Alembic has a connection of its own.
# A savepoint (``begin_nested``) ends nothing and may be made anywhere.
MAY_COMMIT = ("gateway/db/", "models/migrations/")
ENDS_A_TRANSACTION = frozenset(("commit", "rollback"))
MAKES_A_SESSION = frozenset(("sessionmaker", "scoped_session"))
HOLDS_A_TRANSACTION = re.compile(r"session|connection|engine", re.IGNORECASE)

MAY_READ_THE_ENVIRONMENT = "gateway/settings.py"
THE_ENVIRONMENT = frozenset(("environ", "environb", "getenv", "getenvb", "putenv"))

# Catching everything is right only where the rest must go on. Function → why there.
MAY_CATCH_EVERYTHING = {
    "api/lifecycle.py:Process.stop": "stopping goes on whatever the last word to the database does",
    "beat/ringer.py:Ringer._ring": "every transport of the broker has its own exceptions",
    "gateway/admission/gate.py:Gate._seek": "the gate must not stay closed for ever",
    "gateway/cli/__init__.py:main": "says expected failures in one line and raises the rest",
    "gateway/db/revisions.py:_announce_after_commit.send": "it is committed; the poll delivers it",
    "gateway/queue/publisher.py:Publisher._send": "every transport has its own exceptions",
    "gateway/queue/ticks.py:run_tick": "writes the failure down and raises it",
    "gateway/relay/stream.py:Stream.__anext__": "the client is told that the answer broke off",
    "gateway/relay/closing.py:settled_if_it_fails": "gives the hold back and raises",
    "gateway/recovery/keeper.py:Keeper.run": "the next second is a new chance",
}

EMPTY_NAMES = frozenset(("util", "helper", "common", "misc", "manager", "handler"))

VENDORS = re.compile(
    r"openai|anthropic|claude|gpt|gemini|vertex|azure|bedrock|deepseek|mistral|moonshot|qwen|groq"
    r"|cohere|xai|grok",
    re.IGNORECASE,
)
KNOW_NO_VENDOR = ("relay", "routing", "admission", "usage", "ledger", "identity", "catalog")


def _found(rule: Callable[[Source], Iterator[str]]) -> list[str]:
    return [found for source in python_files(*PRODUCT) for found in rule(source)]


def _at(source: Source, node: ast.expr | ast.stmt) -> str:
    return f"{source.path}:{node.lineno}"


def _names(node: ast.AST) -> set[str]:
    """The names a node itself uses: a name, an attribute or imported names."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return {name}
        case ast.ImportFrom(names=aliases) | ast.Import(names=aliases):
            return {alias.name.rpartition(".")[2] for alias in aliases}
        case _:
            return set()


def test_nobody_commits_but_the_database_package() -> None:
    assert _found(_transactions) == []


def _transactions(source: Source) -> Iterator[str]:
    if source.path.startswith(MAY_COMMIT):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            called, receiver = node.func.attr, ast.unparse(node.func.value)
            begins = called == "begin" and HOLDS_A_TRANSACTION.search(receiver)
            if called in ENDS_A_TRANSACTION or begins:
                yield _at(source, node)
        if _names(node) & MAKES_A_SESSION:
            assert isinstance(node, ast.expr | ast.stmt)
            yield _at(source, node)


def test_only_the_settings_read_the_environment() -> None:
    assert _found(_environment) == []


def _environment(source: Source) -> Iterator[str]:
    if source.path == MAY_READ_THE_ENVIRONMENT:
        return
    for node in ast.walk(source.tree):
        is_os = isinstance(node, ast.Attribute) and ast.unparse(node.value) == "os"
        is_from_os = isinstance(node, ast.ImportFrom) and node.module == "os"
        if (is_os or is_from_os) and _names(node) & THE_ENVIRONMENT:
            assert isinstance(node, ast.expr | ast.stmt)
            yield _at(source, node)


def test_everything_is_caught_only_where_the_rest_must_go_on() -> None:
    assert sorted(set(_found(_catches))) == sorted(MAY_CATCH_EVERYTHING)


def _catches(source: Source) -> Iterator[str]:
    """Functions that catch everything, each once for itself and not for those around it."""
    spans = {
        name: (function.lineno, function.end_lineno or 0) for name, function in source.functions()
    }
    for node in ast.walk(source.tree):
        if _catches_everything(node):
            assert isinstance(node, ast.excepthandler | ast.Call)
            around = [n for n, (start, end) in spans.items() if start <= node.lineno <= end]
            innermost = max(around, key=lambda name: spans[name][0], default="")
            yield f"{source.path}:{innermost}"


def _catches_everything(node: ast.AST) -> bool:
    everything = re.compile(r"\b(Base)?Exception\b")
    if isinstance(node, ast.ExceptHandler):
        return node.type is None or bool(everything.search(ast.unparse(node.type)))
    is_suppress = isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress")
    return is_suppress and bool(everything.search(ast.unparse(node)))


def test_no_vendor_is_named_where_calls_are_decided() -> None:
    packages = [f"gateway/{package}" for package in KNOW_NO_VENDOR]
    assert [found for s in python_files(*packages) for found in _vendors(s)] == []
    for package in packages:
        for script in (ROOT / package).rglob("*.lua"):
            assert VENDORS.search(script.read_text()) is None, script.name


def _vendors(source: Source) -> Iterator[str]:
    for number, line in enumerate(source.text.splitlines(), 1):
        if VENDORS.search(line):
            yield f"{source.path}:{number}"


def test_every_module_says_in_its_first_sentence_what_it_is_for() -> None:
    sources = [s for s in python_files(*PRODUCT, "tests") if s.text.strip()]
    silent = [s.path for s in sources if not _is_sentence(ast.get_docstring(s.tree))]
    assert silent == []


def _is_sentence(docstring: str | None) -> bool:
    """The first line is whole: it does not run on into the next."""
    first = (docstring or "").partition("\n")[0].rstrip()
    return len(first.split()) >= 1 and first.endswith(".")


def test_no_name_is_one_that_everything_fits() -> None:
    files = [p for folder in (*PRODUCT, "tests") for p in (ROOT / folder).rglob("*")]
    named = [p.relative_to(ROOT).as_posix() for p in files if "__pycache__" not in p.parts]
    assert sorted(name for name in named if _is_empty(name.rpartition("/")[2])) == []
    classes = [
        f"{s.path}:{node.name}"
        for s in python_files(*PRODUCT)
        for node in ast.walk(s.tree)
        if isinstance(node, ast.ClassDef) and _is_empty(node.name)
    ]
    assert classes == []


def _is_empty(name: str) -> bool:
    words = re.findall(r"[A-Z]?[a-z]+", name.partition(".")[0])
    return any(word.lower().removesuffix("s") in EMPTY_NAMES for word in words)
