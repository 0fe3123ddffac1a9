"""Who is calling: immutable snapshots of key, app, user and policy, found by the key's hash."""

from gateway.identity.access import is_entry
from gateway.identity.callers import Callers
from gateway.identity.model_lists import admits
from gateway.identity.views import Caller, PolicyView

__all__ = ["Caller", "Callers", "PolicyView", "admits", "is_entry"]
