"""All tables; importing this package fills ``Base.metadata``, which Alembic reads."""

from models.accounts import ApiKey, App, DisconnectPolicy, Policy, Role, Status, User, UserStatus
from models.base import Base
from models.catalog import (
    AIModel,
    CapabilityTag,
    CostMultiplier,
    LoadBalancing,
    ModelCapabilityTag,
    ModelType,
    PriceRow,
    PriceVersion,
)
from models.ledger import (
    AllowanceEffect,
    Basis,
    Change,
    EntryKind,
    EntryLevel,
    LedgerEntry,
    Revision,
)
from models.operations import DrainState, Process, Setting, Tick
from models.requests import Attempt, RequestRecord, RequestStatus, Rollup
from models.upstreams import (
    Backend,
    BackendModel,
    Provider,
    ProviderKey,
    ProviderKeyBackend,
    ProviderKeyModel,
)

__all__ = [
    "AIModel",
    "AllowanceEffect",
    "ApiKey",
    "App",
    "Attempt",
    "Backend",
    "BackendModel",
    "Base",
    "Basis",
    "CapabilityTag",
    "Change",
    "CostMultiplier",
    "DisconnectPolicy",
    "DrainState",
    "EntryKind",
    "EntryLevel",
    "LedgerEntry",
    "LoadBalancing",
    "ModelCapabilityTag",
    "ModelType",
    "Policy",
    "PriceRow",
    "PriceVersion",
    "Process",
    "Provider",
    "ProviderKey",
    "ProviderKeyBackend",
    "ProviderKeyModel",
    "RequestRecord",
    "RequestStatus",
    "Revision",
    "Role",
    "Rollup",
    "Setting",
    "Status",
    "Tick",
    "User",
    "UserStatus",
]
