"""What is left alone now: open breakers and cool-downs, which all processes share in Redis."""

from collections.abc import Iterator, Sequence
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import select

from gateway.cache import connect, keys
from gateway.db import Database, ReadSession
from gateway.doctor.findings import Finding, Level
from gateway.settings import Settings
from models import AIModel, Backend, BackendModel, Provider, ProviderKey

# The format is that of admission/lua/backends.lua.
STATE = b"o:"
COOLING = "c"
UNLINKED = ":"  # between model and backend, where only a fallback joins them
ADVICE = "`sluice requests list --failed` and `show ID` tell why"

State = tuple[str, str, int]
"""Id, kind and how many ms are left."""


def check_health(settings: Settings) -> list[Finding]:
    """Nothing if Redis is away, which is a finding of its own."""
    try:
        states = _list_states(settings)
    except (RedisError, ValueError):
        return []
    if not states:
        return [Finding(Level.OK, "health", "no breaker is open and nothing cools down")]
    database = Database.connect(settings.resolved_database_url, settings.database, "sluice doctor")
    try:
        with database.snapshot() as session:
            return sorted(_findings(session, states), key=lambda finding: finding.subject)
    finally:
        database.close()


def _list_states(settings: Settings) -> list[State]:
    client = connect(settings.resolved_redis_url, timeout_seconds=2)
    try:
        seconds, microseconds = client.time()
        fields: Any = client.hgetall(keys.HEALTH)
    finally:
        client.close()
    now_ms = seconds * 1000 + microseconds // 1000
    found = []
    for name, value in fields.items():
        if name.startswith(STATE):
            kind, left_ms = value[:1].decode(), int(value[1:]) - now_ms
            if kind != COOLING or left_ms > 0:
                found.append((name.removeprefix(STATE).decode(), kind, left_ms))
    return found


def _findings(session: ReadSession, states: Sequence[State]) -> Iterator[Finding]:
    names = _names(session)
    for subject_id, kind, left_ms in states:
        subject = names.get(subject_id) or _unlinked(names, subject_id)
        yield Finding(Level.WARN, subject, _describe(kind, left_ms), ADVICE)


def _describe(kind: str, left_ms: int) -> str:
    seconds = -(-max(0, left_ms) // 1000)
    if kind == COOLING:
        return f"cools down for another {seconds} s"
    if kind == "p":
        return "its breaker is open; a probe is under way"
    when = f"in {seconds} s" if seconds else "with the next call"
    return f"its breaker is open; a probe is let through {when}"


def _names(session: ReadSession) -> dict[str, str]:
    """Links, backends and keys by id, and models for links that only a fallback makes."""
    backends = {row.id: row.slug for row in session.execute(select(Backend.id, Backend.slug))}
    models = {row.id: row.slug for row in session.execute(select(AIModel.id, AIModel.slug))}
    links = session.execute(select(BackendModel.id, BackendModel.model_id, BackendModel.backend_id))
    provider_keys = session.execute(
        select(ProviderKey.id, Provider.code, ProviderKey.name).join(
            Provider, Provider.id == ProviderKey.provider_id
        )
    )
    return (
        {model_id: f"model {slug}" for model_id, slug in models.items()}
        | {backend_id: f"backend {slug}" for backend_id, slug in backends.items()}
        | {
            link_id: f"model {models[model_id]} on backend {backends[backend_id]}"
            for link_id, model_id, backend_id in links
        }
        | {key_id: f"provider key {code}/{name}" for key_id, code, name in provider_keys}
    )


def _unlinked(names: dict[str, str], subject_id: str) -> str:
    parts = subject_id.split(UNLINKED)
    return " on ".join(names.get(part, part) for part in parts)
