"""Who may use which route: every route of the application, and nothing else.

Handlers authenticate by themselves, so nothing is looked up here per request. A test
compares the table with the router, and another asks every route without a valid key.
"""

from collections.abc import Mapping
from enum import StrEnum


class Permission(StrEnum):
    PUBLIC = "public"  # no credentials, nothing secret in the answer
    API_KEY = "api_key"  # a valid API key; what it may do is decided per call


PERMISSIONS: Mapping[tuple[str, str], Permission] = {
    ("GET", "/healthz"): Permission.PUBLIC,
    ("GET", "/readyz"): Permission.PUBLIC,
    ("GET", "/status"): Permission.PUBLIC,
    ("POST", "/v1/chat/completions"): Permission.API_KEY,
    ("POST", "/v1/embeddings"): Permission.API_KEY,
    ("GET", "/v1/models"): Permission.API_KEY,
    ("GET", "/v1/models/<model:path>"): Permission.API_KEY,
}
