"""The import file: what an operator may write down, field by field.

A field that is absent keeps what the database has; a field that is present is set.
Amounts of money are US dollars, as text or numbers, and never pass through a float.
"""

import datetime as dt
from decimal import Decimal
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway import money
from gateway.configuration import rules
from gateway.identity import is_entry
from gateway.pricing import Dimension
from models import DisconnectPolicy, LoadBalancing, ModelType, Role, UserStatus

MAX_NANOS = 2**63 - 1
MIN_KEY_CHARACTERS = 16

Name = Annotated[str, Meta(min_length=1, max_length=255)]
Code = Annotated[str, Meta(pattern=r"^[^\s\x00-\x1f]{1,64}$")]
Slug = Annotated[str, Meta(pattern=r"^[^\s\x00-\x1f]{1,255}$")]
Url = Annotated[str, Meta(pattern=r"^https?://[^\s/]+[^\s]*$")]
Email = Annotated[str, Meta(pattern=r"^[^@\s]+@[^@\s]+$", max_length=255)]
Count = Annotated[int, Meta(ge=0, le=MAX_NANOS)]
Time = Annotated[dt.datetime, Meta(tz=True)]
CLOCK_PATTERN = r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$"
ClockTime = Annotated[str, Meta(pattern=CLOCK_PATTERN)]


class Part(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One object of the file; a misspelt field is an error, not a surprise."""


class FromEnvironment(Part, kw_only=True):
    """A secret that the file only names: ``{"env": "VENDOR_API_KEY"}``."""

    env: Name


Secret = Name | FromEnvironment


class CapabilityTag(Part, kw_only=True):
    code: Code
    name: Name | UnsetType = UNSET
    description: str | UnsetType = UNSET


class TimeRange(Part, kw_only=True):
    start: ClockTime
    end: ClockTime


ModelLimit = Literal[
    "rate_limit",
    "rate_limit_window_seconds",
    "request_quota_daily",
    "token_quota_daily",
    "tokens_per_minute",
    "max_output_tokens",
]


class Policy(Part, kw_only=True):
    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    description: str | UnsetType = UNSET
    models: list[str] | UnsetType = UNSET
    default_model: str | UnsetType | None = UNSET
    rate_limit: Count | UnsetType | None = UNSET
    rate_limit_window_seconds: Count | UnsetType | None = UNSET
    request_quota_daily: Count | UnsetType | None = UNSET
    token_quota_daily: Count | UnsetType | None = UNSET
    token_quota_monthly: Count | UnsetType | None = UNSET
    tokens_per_minute: Count | UnsetType | None = UNSET
    cost_quota_daily_usd: Decimal | UnsetType | None = UNSET
    cost_quota_monthly_usd: Decimal | UnsetType | None = UNSET
    max_concurrency: Count | UnsetType | None = UNSET
    max_output_tokens: Count | UnsetType | None = UNSET
    available_time_ranges: list[TimeRange] | UnsetType = UNSET
    timezone: str | UnsetType = UNSET
    per_model: dict[str, dict[ModelLimit, Count]] | UnsetType = UNSET
    region: str | UnsetType | None = UNSET
    region_strict: bool | UnsetType = UNSET
    priority: Annotated[int, Meta(ge=0, le=9)] | UnsetType = UNSET
    disconnect_policy: DisconnectPolicy | UnsetType | None = UNSET

    def __post_init__(self) -> None:
        check_amount("cost_quota_daily_usd", self.cost_quota_daily_usd)
        check_amount("cost_quota_monthly_usd", self.cost_quota_monthly_usd)


class Backend(Part, kw_only=True):
    slug: Code
    name: str | UnsetType = UNSET
    base_url: Url | UnsetType = UNSET
    region: str | UnsetType = UNSET
    weight: Count | UnsetType = UNSET
    max_concurrency: Count | UnsetType = UNSET
    limits: dict[str, float] | UnsetType = UNSET
    capabilities: dict[str, Any] | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    cost_multiplier: Decimal | UnsetType = UNSET

    def __post_init__(self) -> None:
        check_address(self.base_url)
        rules.check_capabilities(self.capabilities)


class ProviderKey(Part, kw_only=True):
    """Without ``backends`` and ``models`` a key serves every backend of its provider."""

    name: Name = "default"
    secret: Secret | UnsetType = UNSET
    weight: Count | UnsetType = UNSET
    agents_only: bool | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    backends: list[str] | UnsetType = UNSET
    models: list[str] | UnsetType = UNSET
    cost_multiplier: Decimal | UnsetType = UNSET


class Provider(Part, kw_only=True):
    code: Code
    # What the file leaves open comes from the row of that vendor.
    vendor: Code | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    adapter: Name | UnsetType = UNSET
    auth_style: (
        Annotated[str, Meta(pattern=r"^(bearer|x-api-key|api-key|query:[\w-]+|none)$")] | UnsetType
    ) = UNSET
    path_templates: dict[str, str] | UnsetType = UNSET
    api_version: str | UnsetType | None = UNSET
    headers: dict[str, str] | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    cost_multiplier: Decimal | UnsetType = UNSET
    backends: list[Backend] = []
    keys: list[ProviderKey] = []


class Link(Part, kw_only=True):
    """Says that a backend serves the model, and under which name."""

    backend: Code
    upstream_model: str = ""
    weight: Count = 1
    priority: int = 0
    capabilities: dict[str, Any] = {}
    enabled: bool = True

    def __post_init__(self) -> None:
        rules.check_capabilities(self.capabilities)


Prices = dict[str, Decimal]


class Model(Part, kw_only=True):
    slug: Slug
    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    type: ModelType | UnsetType = UNSET
    aliases: list[Slug] | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    context_window: Count | UnsetType | None = UNSET
    max_output_tokens: Count | UnsetType | None = UNSET
    load_balancing: LoadBalancing | UnsetType = UNSET
    parameters: dict[str, Any] | UnsetType = UNSET
    forward: dict[str, Any] | UnsetType = UNSET
    fallback: dict[str, Any] | UnsetType = UNSET
    capabilities: dict[str, Any] | UnsetType = UNSET
    limits: dict[str, float] | UnsetType = UNSET
    disconnect_policy: DisconnectPolicy | UnsetType | None = UNSET
    tags: list[Code] | UnsetType = UNSET
    backends: list[Code | Link] | UnsetType = UNSET
    prices: Prices | Literal["known"] | UnsetType = UNSET

    def __post_init__(self) -> None:
        rules.check_model(self.forward, self.fallback, self.capabilities)
        if isinstance(self.prices, dict):
            for key, amount in self.prices.items():
                check_price(key, amount)


class AllowanceFields(Part, kw_only=True):
    limit_usd: Decimal | UnsetType | None = UNSET
    expires_at: Time | UnsetType | None = UNSET

    def __post_init__(self) -> None:
        check_amount("limit_usd", self.limit_usd)


class AddressFields(AllowanceFields, kw_only=True):
    """Entries are addresses, networks (CIDR) or ranges ``from-to``."""

    ip_allow: list[str] | UnsetType = UNSET
    ip_deny: list[str] | UnsetType = UNSET

    def __post_init__(self) -> None:
        AllowanceFields.__post_init__(self)
        for field in ("ip_allow", "ip_deny"):
            given = getattr(self, field)
            for entry in given if isinstance(given, list) else ():
                if not is_entry(entry):
                    msg = f"{field}: {entry!r} is no address, network or range"
                    raise ValueError(msg)


class ApiKey(AddressFields, kw_only=True):
    """Without ``key`` a new one is made, and shown once."""

    name: Name
    key: Secret | UnsetType = UNSET
    app: Name | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    models: list[str] | UnsetType | None = UNSET
    disconnect_policy: DisconnectPolicy | UnsetType | None = UNSET
    valid_until: Time | UnsetType | None = UNSET


class App(AddressFields, kw_only=True):
    name: Name
    number: Count | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    models: list[str] | UnsetType | None = UNSET


class User(AllowanceFields, kw_only=True):
    """Found by e-mail; users without one, by account."""

    email: Email | UnsetType = UNSET
    number: Count | UnsetType = UNSET
    account: Name | UnsetType = UNSET
    name: str | UnsetType = UNSET
    phone: str | UnsetType | None = UNSET
    avatar_url: str | UnsetType | None = UNSET
    department: str | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    status: UserStatus | UnsetType = UNSET
    policy: str | UnsetType = UNSET
    password: Secret | UnsetType = UNSET
    password_hash: str | UnsetType | None = UNSET
    apps: list[App] = []
    keys: list[ApiKey] = []

    def __post_init__(self) -> None:
        AllowanceFields.__post_init__(self)
        if self.email is UNSET and self.account is UNSET:
            msg = "a user needs an email or an account"
            raise ValueError(msg)

    @property
    def label(self) -> str:
        return str(self.account if self.email is UNSET else self.email)


class Document(Part, kw_only=True):
    capability_tags: list[CapabilityTag] = []
    policies: list[Policy] = []
    providers: list[Provider] = []
    models: list[Model] = []
    users: list[User] = []


def check_address(url: str | UnsetType) -> None:
    """What is no address at all must not wait for the first call to say so."""
    try:
        if isinstance(url, str):
            urlsplit(url).port  # noqa: B018 - reading it is the check
    except ValueError as error:
        msg = f"base_url: {error}"
        raise ValueError(msg) from error


def check_amount(field: str, amount: Decimal | UnsetType | None) -> None:
    """Raises ValueError, which the decoder turns into an error with the path."""
    if amount is None or isinstance(amount, UnsetType):
        return
    if not amount.is_finite() or amount < 0:
        msg = f"{field} must be an amount of US dollars that is not negative"
        raise ValueError(msg)
    if money.from_usd(amount) > MAX_NANOS:
        msg = f"{field} is more than can be counted (9.2 billion US dollars)"
        raise ValueError(msg)


def check_price(key: str, amount: Decimal) -> None:
    """A key is a dimension, or ``dimension:variant`` as in ``image:1024x1024``."""
    dimension, _, variant = key.partition(":")
    if dimension not in set(Dimension):
        msg = f"{key!r} is not a dimension of prices; use one of {', '.join(sorted(Dimension))}"
        raise ValueError(msg)
    if len(variant) > 64:
        msg = f"the variant in {key!r} is longer than 64 characters"
        raise ValueError(msg)
    check_amount(f"prices.{key}", amount)
