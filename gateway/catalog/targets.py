"""Every way to serve a model: its backends, each under each of our keys there."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import msgspec
from sqlalchemy import select

from gateway import log
from gateway.catalog.keys import Keys, load_keys
from gateway.catalog.patterns import is_pattern
from gateway.catalog.views import Target
from gateway.crypto import UnreadableSecretError
from gateway.db import ReadSession
from gateway.protocols.traits import NO_TRAITS, Traits, traits_of
from gateway.providers import KEYLESS
from models import AIModel, Backend, BackendModel, CostMultiplier, Provider, ProviderKey

LIST_PRICE = 1_000_000

_log = log.get(__name__)


class Upstreams:
    """Backends, links, keys and cost factors, read once for one catalog."""

    def __init__(self, session: ReadSession, open_secret: Callable[[str], str]) -> None:
        self._open_secret = open_secret
        self._secrets: dict[str, str | None] = {}
        self._keys: Keys = load_keys(session)
        self._factors = {
            (row.scope, row.scope_id): row.factor_millionths
            for row in session.scalars(select(CostMultiplier))
        }
        self._backends: dict[str, tuple[Backend, Provider]] = {
            backend.id: (backend, provider)
            for backend, provider in session.execute(
                select(Backend, Provider)
                .join(Provider, Provider.id == Backend.provider_id)
                .where(Backend.enabled, Provider.enabled)
            )
        }
        self._ids = {backend.slug: backend.id for backend, _ in self._backends.values()}
        self._links: dict[str, dict[str, BackendModel]] = {}
        for link in session.scalars(
            select(BackendModel).order_by(BackendModel.priority.desc(), BackendModel.id)
        ):
            self._links.setdefault(link.model_id, {})[link.backend_id] = link

    def targets(self, model: AIModel) -> tuple[Target, ...]:
        """By priority, those of one link next to each other."""
        links = [link for link in self._links.get(model.id, {}).values() if link.enabled]
        return tuple(
            target
            for link in links
            if link.backend_id in self._backends
            for target in self._of_link(model, link.backend_id, link)
        )

    def fallback_targets(self, model: AIModel) -> tuple[Target, ...]:
        """Those of the backend that the fallback names, linked to the model or not."""
        backend_id = self._ids.get(str(model.fallback.get("backend", "")))
        if backend_id is None:
            return ()
        link = self._links.get(model.id, {}).get(backend_id)
        return tuple(self._of_link(model, backend_id, link))

    def _of_link(
        self, model: AIModel, backend_id: str, link: BackendModel | None
    ) -> Iterator[Target]:
        backend, provider = self._backends[backend_id]
        target = _keyless(model, backend, provider, link)
        if provider.auth_style == KEYLESS:
            yield replace(target, cost_factor_millionths=self._factor(provider, backend, None))
            return
        for key in self._keys.serving(backend, model.id):
            secret = self._secret(key)
            if secret is not None:
                yield replace(
                    target,
                    provider_key_id=key.id,
                    key_weight=key.weight,
                    secret=secret,
                    cost_factor_millionths=self._factor(provider, backend, key),
                )

    def _secret(self, key: ProviderKey) -> str | None:
        """One key that was sealed with another secret must not take the others with it."""
        if key.id not in self._secrets:
            try:
                self._secrets[key.id] = self._open_secret(key.secret_sealed)
            except UnreadableSecretError:
                _log.error("provider_key_unreadable", provider_key_id=key.id)
                self._secrets[key.id] = None
        return self._secrets[key.id]

    def _factor(self, provider: Provider, backend: Backend, key: ProviderKey | None) -> int:
        """The most specific multiplier wins: key, then backend, then provider."""
        scopes = [("provider_key", key.id if key else ""), ("backend", backend.id)]
        scopes.append(("provider", provider.id))
        return next((self._factors[it] for it in scopes if it in self._factors), LIST_PRICE)


def _keyless(
    model: AIModel, backend: Backend, provider: Provider, link: BackendModel | None
) -> Target:
    usual = {"max_output_default": model.max_output_tokens} if model.max_output_tokens else {}
    layers = [usual, model.capabilities, backend.capabilities, link.capabilities if link else {}]
    return Target(
        link_id=link.id if link else f"{model.id}:{backend.id}",
        backend_id=backend.id,
        backend_slug=backend.slug,
        adapter=provider.adapter,
        auth_style=provider.auth_style,
        base_url=backend.base_url.rstrip("/"),
        path_templates=provider.path_templates,
        api_version=provider.api_version,
        headers=provider.headers,
        upstream_model=_name_there(model, link),
        region=backend.region,
        weight=(link.weight if link else 1) * backend.weight,
        slots=backend.max_concurrency,
        limits=backend.limits,
        priority=link.priority if link else 0,
        traits=_traits(layers, model.id, backend.id),
    )


def _name_there(model: AIModel, link: BackendModel | None) -> str:
    """Empty if only the call can tell: a pattern is no name that a vendor knows."""
    name = (link.upstream_model if link else "") or model.slug
    return "" if is_pattern(model.slug) and is_pattern(name) else name


def _traits(layers: Sequence[Mapping[str, object]], model_id: str, backend_id: str) -> Traits:
    """What an import refuses may still stand in a row: then it counts for nothing."""
    try:
        return traits_of(*layers)
    except msgspec.ValidationError as error:
        _log.error(
            "capabilities_unreadable", model_id=model_id, backend_id=backend_id, problem=str(error)
        )
        return NO_TRAITS
