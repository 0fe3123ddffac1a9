"""Callers of a gateway under test, each with a user, a policy and a key of their own."""

from typing import Any

import httpx

from tests.stack import Stack


def add_person(
    stack: Stack,
    name: str,
    policy: dict[str, Any] | None = None,
    key: dict[str, Any] | None = None,
    **user: Any,  # noqa: ANN401
) -> httpx.Client:
    """An open client of the new caller; ``user``: fields of the import file."""
    secret = f"llm-{name}-" + "0123456789abcdef" * 3
    policies = [{"models": ["*"], **(policy or {}), "name": name}]
    keys = [{"name": name, "key": secret, **(key or {})}]
    fields = {"email": f"{name}@example.com", "policy": name, "limit_usd": "100", **user}
    stack.apply({"policies": policies, "users": [{**fields, "keys": keys}]})
    return stack.http(secret)
