"""The smallest sensible value that satisfies a JSON schema."""

from collections.abc import Callable
from typing import Any

DEEPEST = 12

Schema = dict[str, Any]
Builder = Callable[[Schema, str, int], object]


def example(schema: object, name: str = "value") -> object:
    """Deterministic; strings are made of the property's name."""
    return _Examples(schema if isinstance(schema, dict) else {}).build(schema, name, 0)


class _Examples:
    def __init__(self, root: Schema) -> None:
        self.root = root
        self.by_type: dict[str, Builder] = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": self._number,
            "number": self._number,
            "boolean": lambda _schema, _name, _depth: True,
            "null": lambda _schema, _name, _depth: None,
        }

    def build(self, schema: object, name: str, depth: int) -> object:
        if not isinstance(schema, dict) or depth > DEEPEST:
            return None
        if "$ref" in schema:
            return self.build(self._resolve(str(schema["$ref"])), name, depth + 1)
        if "const" in schema:
            return schema["const"]
        for key in ("enum", "anyOf", "oneOf", "allOf"):
            if options := schema.get(key):
                first = options[0]
                return first if key == "enum" else self.build(first, name, depth + 1)
        kind = schema.get("type", "object" if "properties" in schema else "string")
        first_kind = kind[0] if isinstance(kind, list) else kind
        return self.by_type.get(first_kind, self._string)(schema, name, depth)

    def _object(self, schema: Schema, _name: str, depth: int) -> object:
        properties = schema.get("properties") or {}
        return {key: self.build(part, key, depth + 1) for key, part in properties.items()}

    def _array(self, schema: Schema, name: str, depth: int) -> object:
        count = max(1, int(schema.get("minItems", 1)))
        return [self.build(schema.get("items", {}), name, depth + 1) for _ in range(count)]

    def _string(self, schema: Schema, name: str, _depth: int) -> object:
        text = f"demo {name}".ljust(int(schema.get("minLength", 0)), "x")
        return text[: int(schema.get("maxLength", len(text)))]

    def _number(self, schema: Schema, _name: str, _depth: int) -> object:
        return schema.get("minimum", 1)

    def _resolve(self, reference: str) -> object:
        found: object = self.root
        for step in reference.removeprefix("#").strip("/").split("/"):
            if step:
                found = found.get(step) if isinstance(found, dict) else None
        return found
