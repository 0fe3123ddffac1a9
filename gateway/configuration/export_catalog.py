"""Writing down the catalog: tags, providers, backends, provider keys and models."""

from decimal import Decimal

from msgspec import UNSET, UnsetType
from sqlalchemy import select

from gateway.configuration import document, prices
from gateway.configuration.written import by_owner, fields, grouped
from gateway.crypto import Sealer
from gateway.db import ReadSession
from models import (
    AIModel,
    Backend,
    BackendModel,
    CapabilityTag,
    CostMultiplier,
    ModelCapabilityTag,
    Provider,
    ProviderKey,
    ProviderKeyBackend,
    ProviderKeyModel,
    Status,
)

PROVIDER = (
    *("code", "name", "adapter", "auth_style", "path_templates", "api_version", "headers"),
    "enabled",
)
BACKEND = (
    *("slug", "name", "base_url", "region", "weight", "max_concurrency", "limits"),
    *("capabilities", "enabled"),
)
LINK = ("upstream_model", "weight", "priority", "capabilities", "enabled")
MODEL = (
    *("slug", "name", "description", "type", "aliases", "enabled", "context_window"),
    *("max_output_tokens", "load_balancing", "parameters", "forward", "fallback", "capabilities"),
    *("limits", "disconnect_policy"),
)


class CatalogExport:
    """Reads the catalog once; without ``opener`` secrets stay out."""

    def __init__(self, session: ReadSession, opener: Sealer | None) -> None:
        self._session = session
        self._opener = opener
        self._factors = {
            (row.scope, row.scope_id): Decimal(row.factor_millionths) / 1_000_000
            for row in session.scalars(select(CostMultiplier))
        }

    def tags(self) -> list[document.CapabilityTag]:
        rows = self._session.scalars(select(CapabilityTag).order_by(CapabilityTag.code))
        return [
            document.CapabilityTag(**fields(row, "code", "name", "description")) for row in rows
        ]

    def providers(self) -> list[document.Provider]:
        backends = by_owner(
            self._session.scalars(select(Backend).order_by(Backend.slug)), "provider_id"
        )
        keys = by_owner(
            self._session.scalars(select(ProviderKey).order_by(ProviderKey.name)), "provider_id"
        )
        ties = self._ties()
        return [
            document.Provider(
                **fields(row, *PROVIDER),
                cost_multiplier=self._multiplier("provider", row.id),
                backends=[self._backend(backend) for backend in backends.get(row.id, ())],
                keys=[self._key(key, *ties) for key in keys.get(row.id, ())],
            )
            for row in self._session.scalars(select(Provider).order_by(Provider.code))
        ]

    def _backend(self, row: Backend) -> document.Backend:
        return document.Backend(
            **fields(row, *BACKEND), cost_multiplier=self._multiplier("backend", row.id)
        )

    def _key(
        self, row: ProviderKey, backends: dict[str, list[str]], models: dict[str, list[str]]
    ) -> document.ProviderKey:
        return document.ProviderKey(
            **fields(row, "name", "weight", "agents_only"),
            secret=self._opener.open(row.secret_sealed) if self._opener else UNSET,
            cost_multiplier=self._multiplier("provider_key", row.id),
            enabled=row.status != Status.DISABLED,
            backends=backends.get(row.id, []),
            models=models.get(row.id, []),
        )

    def _ties(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """Slugs of backends and of models by provider key."""
        backends = select(ProviderKeyBackend.provider_key_id, Backend.slug).join(
            Backend, Backend.id == ProviderKeyBackend.backend_id
        )
        models = select(ProviderKeyModel.provider_key_id, AIModel.slug).join(
            AIModel, AIModel.id == ProviderKeyModel.model_id
        )
        return (
            grouped(self._session.execute(backends)),
            grouped(self._session.execute(models)),
        )

    def _multiplier(self, scope: str, scope_id: str) -> Decimal | UnsetType:
        return self._factors.get((scope, scope_id), UNSET)

    def models(self) -> list[document.Model]:
        links = self._links()
        tags = grouped(
            self._session.execute(
                select(ModelCapabilityTag.model_id, CapabilityTag.code).join(
                    CapabilityTag, CapabilityTag.id == ModelCapabilityTag.tag_id
                )
            )
        )
        return [
            document.Model(
                **fields(row, *MODEL),
                tags=tags.get(row.id, []),
                backends=[*links.get(row.id, [])],
                prices=self._prices(row.id),
            )
            for row in self._session.scalars(select(AIModel).order_by(AIModel.slug))
        ]

    def _prices(self, model_id: str) -> document.Prices | UnsetType:
        version = prices.find_version(self._session, model_id)
        if version is None:
            return UNSET
        return prices.usd_from_rows(prices.list_rows(self._session, version))

    def _links(self) -> dict[str, list[document.Link]]:
        rows = self._session.execute(
            select(BackendModel, Backend.slug)
            .join(Backend, Backend.id == BackendModel.backend_id)
            .order_by(Backend.slug)
        )
        found: dict[str, list[document.Link]] = {}
        for link, slug in rows:
            part = document.Link(backend=slug, **fields(link, *LINK))
            found.setdefault(link.model_id, []).append(part)
        return found
