"""Reads multipart forms into fields and files, and describes them for the journal."""

import hashlib
import re
from dataclasses import dataclass
from typing import Any

_boundary = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_parameter = re.compile(r'\b(name|filename)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a form."""

    field: str
    name: str
    content_type: str
    data: bytes

    def describe(self) -> dict[str, Any]:
        return {
            "field": self.field,
            "filename": self.name,
            "content_type": self.content_type,
            "bytes": len(self.data),
            "sha256": hashlib.sha256(self.data).hexdigest(),
        }


@dataclass(frozen=True, slots=True)
class Form:
    """Fields that came several times, or whose name ends in ``[]``, are lists."""

    fields: dict[str, Any]
    files: tuple[Upload, ...] = ()

    def describe(self) -> dict[str, Any]:
        return {"fields": self.fields, "files": [file.describe() for file in self.files]}


def read_form(raw: bytes, content_type: str) -> Form | None:
    """``None`` if it is no form, or one that is cut short."""
    found = _boundary.search(content_type)
    if found is None:
        return None
    mark = b"--" + found.group(1).encode()
    first, *parts = (b"\r\n" + raw).split(b"\r\n" + mark)
    if first.strip() or not parts or not parts[-1].startswith(b"--"):
        return None
    fields: dict[str, Any] = {}
    files: list[Upload] = []
    for part in parts[:-1]:
        if not _read_part(part, fields, files):
            return None
    return Form(fields, tuple(files))


def _read_part(part: bytes, fields: dict[str, Any], files: list[Upload]) -> bool:
    head, found, data = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    headers = _read_headers(head)
    said = dict(_parameter.findall(headers.get("content-disposition", "")))
    if not found or "name" not in said:
        return False
    if "filename" in said:
        kind = headers.get("content-type", "application/octet-stream")
        files.append(Upload(said["name"], said["filename"], kind, data))
    else:
        _add_field(fields, said["name"], data.decode("utf-8", "replace"))
    return True


def _read_headers(head: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in head.decode("utf-8", "replace").split("\r\n"))
    return {name.strip().lower(): value.strip() for name, _, value in lines}


def _add_field(fields: dict[str, Any], name: str, value: str) -> None:
    before = fields.get(name)
    if isinstance(before, list):
        before.append(value)
    elif before is not None:
        fields[name] = [before, value]
    else:
        fields[name] = [value] if name.endswith("[]") else value
