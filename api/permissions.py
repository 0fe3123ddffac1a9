"""Who may use which route: every route of the application, and nothing else.

Handlers authenticate by themselves, so nothing is looked up here per request. A test
compares the table with the router, and another asks every route without a valid key.
"""

from collections.abc import Mapping
from enum import StrEnum

from gateway.errors import PermissionDeniedError


class Permission(StrEnum):
    PUBLIC = "public"  # no credentials, nothing secret in the answer
    API_KEY = "api_key"  # a valid API key; what it may do is decided per call
    # Part of an answer: at which addresses and for what prices models are served.
    PLACES = "places"


# Who has the permissions that are for parts of routes.
ROLES: Mapping[Permission, frozenset[str]] = {
    Permission.PLACES: frozenset(("admin", "manager")),
}


PERMISSIONS: Mapping[tuple[str, str], Permission] = {
    ("GET", "/healthz"): Permission.PUBLIC,
    ("GET", "/readyz"): Permission.PUBLIC,
    ("GET", "/status"): Permission.PUBLIC,
    ("POST", "/v1/chat/completions"): Permission.API_KEY,
    ("POST", "/v1/completions"): Permission.API_KEY,
    ("POST", "/v1/embeddings"): Permission.API_KEY,
    ("POST", "/v1/moderations"): Permission.API_KEY,
    ("POST", "/v1/messages"): Permission.API_KEY,
    ("POST", "/v1/messages/count_tokens"): Permission.API_KEY,
    ("GET", "/v1/models"): Permission.API_KEY,
    ("POST", "/v1/models"): Permission.API_KEY,
    ("GET", "/v1/models/<model:path>"): Permission.API_KEY,
    ("GET", "/v1/dashboard/models"): Permission.API_KEY,
    ("POST", "/v1/dashboard/models"): Permission.API_KEY,
    ("GET", "/v1/billing/subscription"): Permission.API_KEY,
    ("POST", "/v1/billing/subscription"): Permission.API_KEY,
    ("GET", "/v1/billing/usage"): Permission.API_KEY,
    ("POST", "/v1/billing/usage"): Permission.API_KEY,
    ("GET", "/v1/dashboard/billing/subscription"): Permission.API_KEY,
    ("POST", "/v1/dashboard/billing/subscription"): Permission.API_KEY,
    ("GET", "/v1/dashboard/billing/usage"): Permission.API_KEY,
    ("POST", "/v1/dashboard/billing/usage"): Permission.API_KEY,
}


def demand(permission: Permission, role: str) -> None:
    """Raises PermissionDeniedError if the role does not have it."""
    if role not in ROLES[permission]:
        raise PermissionDeniedError("Only keys of managers and admins may see that.")
