"""Importing what is sold: models, the backends that serve them, their tags and prices."""

from collections import Counter
from collections.abc import Sequence

from msgspec import UnsetType
from sqlalchemy import delete, select

from gateway import clock
from gateway.configuration import document, prices, rows, rules, upstreams
from gateway.configuration.changes import Changes, Outcome
from gateway.configuration.problems import ConfigurationError
from gateway.db import ReadSession, Session
from gateway.pricing import known
from models import (
    AIModel,
    Backend,
    BackendModel,
    CapabilityTag,
    LoadBalancing,
    ModelCapabilityTag,
    ModelType,
)


def import_tag(session: Session, changes: Changes, part: document.CapabilityTag) -> CapabilityTag:
    row = rows.find(session, CapabilityTag, code=part.code)
    values = {"code": part.code, **rows.given(part, "name", "description")}
    row, outcome = rows.save(session, CapabilityTag, row, values, {"name": part.code})
    changes.catalog_object("capability tag", part.code, outcome)
    return row


def import_model(session: Session, changes: Changes, part: document.Model, path: str) -> None:
    values = rows.given(
        part,
        *("name", "description", "type", "aliases", "enabled", "context_window"),
        *("max_output_tokens", "load_balancing", "parameters", "forward", "fallback"),
        *("capabilities", "limits", "disconnect_policy"),
    )
    row = rows.find(session, AIModel, slug=part.slug)
    defaults = {"type": ModelType.CHAT, "load_balancing": LoadBalancing.WEIGHTED}
    row, outcome = rows.save(session, AIModel, row, {"slug": part.slug, **values}, defaults)
    changed = [
        _set_links(session, row, part.backends, path),
        _set_tags(session, changes, row, part.tags),
        _set_prices(session, row, part.prices, path),
    ]
    if outcome is Outcome.UNCHANGED and any(changed):
        outcome = Outcome.UPDATED
    changes.catalog_object("model", part.slug, outcome)


def _set_links(
    session: Session,
    model: AIModel,
    wanted: list[document.Code | document.Link] | UnsetType,
    path: str,
) -> bool:
    """The list is complete: a backend that it leaves out no longer serves the model."""
    if isinstance(wanted, UnsetType):
        return False
    present = {
        link.backend_id: link
        for link in session.scalars(select(BackendModel).where(BackendModel.model_id == model.id))
    }
    kept = set()
    outcomes = []
    for number, item in enumerate(wanted):
        link = document.Link(backend=item) if isinstance(item, str) else item
        backend = rows.find(session, Backend, slug=link.backend)
        if backend is None:
            msg = f"{path}.backends[{number}]: there is no backend {link.backend!r}"
            raise ConfigurationError(msg)
        values = rows.given(link, "upstream_model", "weight", "priority", "capabilities", "enabled")
        values |= {"backend_id": backend.id, "model_id": model.id}
        outcomes.append(
            rows.save(session, BackendModel, present.get(backend.id), values, {})[1],
        )
        kept.add(backend.id)
    dropped = present.keys() - kept
    for backend_id in dropped:
        session.delete(present[backend_id])
    return bool(dropped) or any(outcome is not Outcome.UNCHANGED for outcome in outcomes)


def _set_tags(
    session: Session, changes: Changes, model: AIModel, codes: list[str] | UnsetType
) -> bool:
    """The list is complete; a tag that does not exist yet is made."""
    if isinstance(codes, UnsetType):
        return False
    wanted = set()
    for code in codes:
        tag = rows.find(session, CapabilityTag, code=code)
        tag = tag or import_tag(session, changes, document.CapabilityTag(code=code))
        wanted.add(tag.id)
    ties = ModelCapabilityTag
    present = set(session.scalars(select(ties.tag_id).where(ties.model_id == model.id)).all())
    session.execute(delete(ties).where(ties.model_id == model.id, ties.tag_id.not_in(wanted)))
    session.add_all(ties(model_id=model.id, tag_id=tag_id) for tag_id in wanted - present)
    return wanted != present


def _set_prices(
    session: Session, model: AIModel, wanted: document.Prices | str | UnsetType, path: str
) -> bool:
    if isinstance(wanted, UnsetType):
        return False
    if isinstance(wanted, dict):
        return prices.set_prices(session, model.id, prices.rows_from_usd(wanted))
    found = find_known_prices(session, model)
    if found is None:
        msg = f"{path}.prices: no price of {model.slug!r} is known; write the prices out"
        raise ConfigurationError(msg)
    return prices.set_prices(
        session, model.id, prices.rows_from_usd(found.usd_per_million), found.source
    )


def find_known_prices(session: ReadSession, model: AIModel) -> known.KnownPrices | None:
    """By the model's own name first, then by its names upstream."""
    links = session.scalars(
        select(BackendModel).where(BackendModel.model_id == model.id).order_by(BackendModel.id)
    ).all()
    codes = upstreams.list_codes(session, [link.backend_id for link in links])
    names = [model.slug, *(link.upstream_model for link in links if link.upstream_model)]
    return known.find_prices(names, codes[0] if codes else "", clock.now().date())


def check_names(session: ReadSession) -> None:
    """A name that clients may ask for means one model, be it a slug or an alias."""
    models = session.execute(select(AIModel.slug, AIModel.aliases)).all()
    names = Counter(name for row in models for name in {row.slug, *row.aliases})
    ambiguous = sorted(name for name, count in names.items() if count > 1)
    if ambiguous:
        msg = f"models: the name {ambiguous[0]!r} belongs to more than one model"
        raise ConfigurationError(msg)


def check_targets(session: ReadSession, parts: Sequence[document.Model]) -> None:
    """What forwards and fallbacks name is there; the file itself may have made it."""
    models = set(session.scalars(select(AIModel.slug)))
    backends = set(session.scalars(select(Backend.slug)))
    for number, part in enumerate(parts):
        path = f"models[{number}]"
        if isinstance(part.forward, dict) and part.forward:
            forward = rules.read_forward(part.forward)
            _check_named(f"{path}.forward", forward.models(), "model", models)
        if isinstance(part.fallback, dict) and part.fallback:
            fallback = rules.read_fallback(part.fallback)
            _check_named(f"{path}.fallback", fallback.named_models(), "model", models)
            _check_named(f"{path}.fallback", fallback.named_backends(), "backend", backends)


def _check_named(path: str, named: rules.Named, kind: str, known: set[str]) -> None:
    for place, slug in named:
        if slug not in known:
            msg = f"{path}.{place}: there is no {kind} {slug!r}"
            raise ConfigurationError(msg)
