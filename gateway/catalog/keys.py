"""Which of our keys serve which backend and model."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import select

from gateway.db import ReadSession
from models import Backend, ProviderKey, ProviderKeyBackend, ProviderKeyModel, Status


@dataclass(frozen=True, slots=True)
class Keys:
    """Active provider keys by what they are tied to, else by their provider."""

    of_backend: Mapping[str, list[ProviderKey]]
    of_model: Mapping[tuple[str, str], list[ProviderKey]]  # by provider and model
    of_provider: Mapping[str, list[ProviderKey]]

    def serving(self, backend: Backend, model_id: str) -> list[ProviderKey]:
        """The keys for a model at a backend, each once."""
        found = [
            *self.of_backend.get(backend.id, ()),
            *self.of_model.get((backend.provider_id, model_id), ()),
            *self.of_provider.get(backend.provider_id, ()),
        ]
        return list({key.id: key for key in found}.values())


def load_keys(session: ReadSession) -> Keys:
    active = session.scalars(
        select(ProviderKey)
        .where(ProviderKey.status == Status.ACTIVE, ProviderKey.weight > 0)
        .order_by(ProviderKey.id)
    ).all()
    to_backends = select(ProviderKeyBackend.provider_key_id, ProviderKeyBackend.backend_id)
    to_models = select(ProviderKeyModel.provider_key_id, ProviderKeyModel.model_id)
    backends = _ties(session.execute(to_backends))
    models = _ties(session.execute(to_models))
    of_backend: defaultdict[str, list[ProviderKey]] = defaultdict(list)
    of_model: defaultdict[tuple[str, str], list[ProviderKey]] = defaultdict(list)
    of_provider: defaultdict[str, list[ProviderKey]] = defaultdict(list)
    for key in active:
        for backend_id in backends.get(key.id, ()):
            of_backend[backend_id].append(key)
        if key.agents_only:
            continue  # it serves the backends that it is tied to, and nothing else
        for model_id in models.get(key.id, ()):
            of_model[key.provider_id, model_id].append(key)
        if key.id not in backends and key.id not in models:
            of_provider[key.provider_id].append(key)
    return Keys(of_backend, of_model, of_provider)


def _ties(rows: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    ties: defaultdict[str, list[str]] = defaultdict(list)
    for key_id, tied_id in rows:
        ties[key_id].append(tied_id)
    return dict(ties)
