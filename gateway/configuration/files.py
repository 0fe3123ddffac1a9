"""Reading and writing import files: YAML, JSON or TOML, told apart by the name's ending."""

import json
import tomllib
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from gateway.configuration.document import CLOCK_PATTERN, Document
from gateway.configuration.problems import ConfigurationError

Format = Literal["json", "yaml", "toml"]
FORMATS: dict[str, Format] = {".json": "json", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml"}

# Every format becomes JSON with its decimals unharmed, and is then read by one decoder.
_exact = msgspec.json.Encoder(decimal_format="number")
_documents = msgspec.json.Decoder(Document)


class _Loader(yaml.SafeLoader):
    """Reads ``2.50`` as the decimal that was written."""


def _decimal(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Decimal:
    text = str(loader.construct_scalar(node))
    try:
        return Decimal(text.replace("_", ""))
    except InvalidOperation:
        msg = f"{text!r} is not a number"
        raise ValueError(msg) from None


_Loader.add_constructor("tag:yaml.org,2002:float", _decimal)


def format_of(path: Path) -> Format:
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        endings = ", ".join(FORMATS)
        msg = f"{path}: the name must end in one of {endings}"
        raise ConfigurationError(msg) from None


def read(path: Path) -> Document:
    """The document in a file; errors name the file and the path inside it."""
    form = format_of(path)
    try:
        return decode(path.read_bytes(), form)
    except OSError as error:
        msg = f"{path}: {error.strerror or error}"
        raise ConfigurationError(msg) from error
    except ConfigurationError as error:
        msg = f"{path}: {error}"
        raise ConfigurationError(msg) from error


def _readable(problem: str) -> str:
    """A time of day is said in words; the place of the mistake stays."""
    words = "that is a time of day from 00:00 to 24:00, such as 08:30"
    return problem.replace(f"matching regex {CLOCK_PATTERN!r}", words)


def decode(data: bytes, form: Format) -> Document:
    try:
        return _documents.decode(data if form == "json" else _exact.encode(_parse(data, form)))
    except msgspec.MsgspecError as error:
        raise ConfigurationError(_readable(str(error))) from error
    except (ValueError, TypeError, yaml.YAMLError) as error:
        msg = f"not valid {form.upper()}: {' '.join(str(error).split())}"
        raise ConfigurationError(msg) from error


def _parse(data: bytes, form: Format) -> Any:  # noqa: ANN401 - whatever the file says
    if form == "toml":
        return tomllib.loads(data.decode(), parse_float=Decimal)
    return yaml.load(data, Loader=_Loader) or {}  # noqa: S506 - a SafeLoader


def encode(document: Document, form: Format) -> str:
    """The document as text; TOML has no null, so it cannot be written."""
    encoded = msgspec.json.encode(document)
    if form == "json":
        return msgspec.json.format(encoded, indent=2).decode() + "\n"
    if form == "yaml":
        return yaml.safe_dump(json.loads(encoded), sort_keys=False, allow_unicode=True)
    msg = "a configuration is exported as YAML or JSON"
    raise ConfigurationError(msg)
