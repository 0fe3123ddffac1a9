"""The documents say what the code says: settings, errors, dependencies, files."""

import ast
import importlib
import json
import pkgutil
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from gateway.errors import GatewayError
from gateway.protocols.errors import anthropic_status, render_anthropic, render_openai
from gateway.settings import Section, Settings
from tests.architecture.sources import PRODUCT, ROOT, list_documents, python_files

DOCS = ROOT / "docs"
# What an operator finds in records instead of the code of an error.
RECORD_CODES = "## In records only"
FILE = re.compile(r"(?:api|beat|bin|docs|gateway|models|tests|workers)/[\w./*-]*[\w*]/?")


def _rows(text: str) -> Iterator[list[str]]:
    """Cells of all tables of a document, heads left out."""
    lines = text.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        is_head = following.startswith("| ---")
        if line.startswith("| ") and not line.startswith("| ---") and not is_head:
            yield [cell.strip() for cell in line.strip("| ").split(" | ")]


def _text(name: str) -> str:
    return (DOCS / name).read_text()


# Settings


def _variables() -> Iterator[tuple[tuple[str, ...], str]]:
    for name, field in Settings.model_fields.items():
        section = field.default
        if isinstance(section, Section):
            for inner, inner_field in type(section).model_fields.items():
                yield (f"SLUICE_{name}__{inner}".upper(),), _default(inner_field)
        else:
            yield _names(name, field), _default(field)


def _names(name: str, field: FieldInfo) -> tuple[str, ...]:
    alias: Any = field.validation_alias
    return tuple(alias.choices) if alias is not None else (f"SLUICE_{name}".upper(),)


def _default(field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, tuple):
        return json.dumps(list(value))
    return str(value) or "empty"


def test_every_setting_is_documented_with_its_default() -> None:
    documented = {
        tuple(re.findall(r"`([^`]+)`", names)): default.strip("`")
        for names, default, _ in _rows(_text("settings.md"))
    }
    assert documented == dict(_variables())


def test_every_setting_says_what_it_means() -> None:
    assert [row[0] for row in _rows(_text("settings.md")) if len(row[2]) < 8] == []


def test_every_setting_is_read_somewhere() -> None:
    sections = {
        name: list(type(field.default).model_fields)
        for name, field in Settings.model_fields.items()
        if isinstance(field.default, Section)
    }
    names = Counter(name for fields in sections.values() for name in fields)
    read = _read_by_product()
    unread = [
        f"{section}.{name}"
        for section, fields in sections.items()
        for name in fields
        if (name if names[name] == 1 else f"{section}.{name}") not in read
    ]
    assert unread == []


def _read_by_product() -> set[str]:
    """Attributes, alone and behind their owner's, and texts: some settings are read by name."""
    found = set()
    for source in python_files(*PRODUCT):
        if source.path == "gateway/settings.py":
            continue
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Attribute):
                found |= {node.attr, ".".join(ast.unparse(node).split(".")[-2:])}
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


# Errors


def _import_everything() -> None:
    for package in ("api", "gateway"):
        for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
            if not module.name.endswith(("__main__", "launch")):
                importlib.import_module(module.name)


def _subclasses(of: type[GatewayError]) -> Iterator[type[GatewayError]]:
    yield of
    for subclass in of.__subclasses__():
        yield from _subclasses(subclass)


def _described(error: type[GatewayError]) -> tuple[str, str, str, str]:
    """What clients see: code, status, type in the one dialect and in the other."""
    blank = error.__new__(error)
    Exception.__init__(blank, error.message)
    blank.param = None
    openai = json.loads(render_openai(blank))["error"]
    anthropic = json.loads(render_anthropic(blank))["error"]
    status = str(int(error.status))
    if anthropic_status(blank) != int(error.status):
        status += f" ({anthropic_status(blank)})"
    return error.code, status, openai["type"], anthropic["type"]


def _documented_errors() -> list[list[str]]:
    return list(_rows(_text("errors.md").partition(RECORD_CODES)[0]))


def test_every_error_is_documented_as_clients_see_it() -> None:
    _import_everything()
    real = {_described(error) for error in _subclasses(GatewayError)}
    documented = {tuple(cell.strip("`") for cell in row[:4]) for row in _documented_errors()}
    assert documented == real


def test_every_documented_error_says_when_whose_and_what_to_do() -> None:
    rows = _documented_errors()
    assert [row[0] for row in rows if len(row) != 7 or not all(row)] == []
    assert {row[5] for row in rows} <= {"caller", "operator", "provider", "gateway"}


def test_an_error_that_nobody_raises_is_said_to_be_reserved() -> None:
    _import_everything()
    used = {
        name
        for source in python_files(*PRODUCT)
        if source.path != "gateway/errors.py"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Name | ast.Attribute)
        for name in (node.id if isinstance(node, ast.Name) else node.attr,)
    }
    own = [error for error in _subclasses(GatewayError) if error.__module__ == "gateway.errors"]
    reserved = {error.code for error in own if error.__name__ not in used}
    said = re.search(r"^Reserved,.*?\n\n", _text("errors.md"), re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"`(\w+)`", said[0] if said else "")) == reserved


def test_every_code_that_only_records_have_is_documented() -> None:
    documented = _text("errors.md")
    codes = {
        keyword.value.value
        for source in python_files(*PRODUCT)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "error_code" and isinstance(keyword.value, ast.Constant)
        if isinstance(keyword.value.value, str)
    }
    assert [code for code in sorted(codes) if f"`{code}`" not in documented] == []


# Dependencies and files


def test_every_dependency_is_explained_with_the_version_we_allow() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    allowed = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    specs = {spec.partition(";")[0].strip() for spec in allowed}
    rows = list(_rows(_text("dependencies.md")))
    assert {row[0].strip("`") for row in rows} == specs
    assert [row[0] for row in rows if len(row) != 4 or not all(row)] == []


@pytest.mark.parametrize("document", list_documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_names_only_files_that_exist(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    quoted = [quote for quote in re.findall(r"`([^`\s]+)`", text) if FILE.fullmatch(quote)]
    linked = re.findall(r"\]\(([^)#:\s]+)[^)]*\)", text)
    missing = [name for name in quoted if not _exists(ROOT, name)]
    missing += [name for name in linked if not _exists(document.parent, name)]
    assert missing == []


def _exists(folder: Path, name: str) -> bool:
    return any(folder.glob(name)) if "*" in name else (folder / name).exists()


def test_code_refers_to_decisions_that_exist() -> None:
    numbers = {path.name[:4] for path in (DOCS / "adr").glob("[0-9]*.md")}
    named = {n for s in python_files(*PRODUCT) for n in re.findall(r"docs/adr/(\d{4})", s.text)}
    assert sorted(named - numbers) == []


def test_make_check_runs_the_import_contracts() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^check:.*\n.*check-imports", makefile, re.MULTILINE)
    assert re.search(r"^check-imports:\n.*lint-imports", makefile, re.MULTILINE)
