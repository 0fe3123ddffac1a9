"""Models whose upstreams misbehave, and the three views of a call to them.

What the caller got, what the providers were asked, and what was charged.
"""

import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from models import Attempt, LedgerEntry, RequestRecord
from tests.faults.heard import Answer
from tests.faults.visits import reported_nanos
from tests.stack import Stack
from tests.stack.books import wait_for_settled
from tests.stack.stack import model_of
from tests.upstream.faults import parse_model
from tests.upstream.text import numbered_pieces

DIALECTS = ("openai", "anthropic")
FORMS = ("backend", "model")
PAIRS = [(client, upstream) for client in DIALECTS for upstream in DIALECTS]
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
HELLO = [{"role": "user", "content": "hello"}]
QUICK_SECONDS = 0.6
QUICK = {
    "first_event_seconds": QUICK_SECONDS,
    "first_byte_seconds": QUICK_SECONDS,
    "idle_seconds": QUICK_SECONDS,
}
LETTERS = "abcdef"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Up:
    """One upstream: how it fails, as suffixes of the simulator, and how it is spoken to."""

    faults: str = "n7"
    protocol: str = "openai"
    keys: int = 1
    base_url: str | None = None
    capabilities: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Books:
    """What is written down of one call."""

    record: RequestRecord
    entry: LedgerEntry
    attempts: list[Attempt]

    @property
    def outcomes(self) -> list[str]:
        return [attempt.outcome for attempt in self.attempts]


class Scene:
    """One model with upstreams of its own, in the order in which they should be asked.

    The upstream ``other`` serves another model, which is the fallback of the first.
    """

    def __init__(
        self,
        stack: Stack,
        *ups: Up,
        other: Up | None = None,
        fallback: Mapping[str, Any] | None = None,
        **fields: Any,  # noqa: ANN401
    ) -> None:
        self.stack = stack
        self.name = f"scene{next(_numbers)}"
        self.other_name = f"{self.name}other"
        self.ups = [*ups, other] if other else list(ups)
        self.slugs = [f"{self.name}{letter}" for letter in LETTERS[: len(self.ups)]]
        self.upstreams = [
            f"{slug}-{up.faults}" for slug, up in zip(self.slugs, self.ups, strict=True)
        ]
        self.has_other = other is not None
        if self.has_other:
            fallback = {"model": self.other_name, **(fallback or {})}
        if fallback:
            fields["fallback"] = fallback
        self._apply(fields)

    def _apply(self, fields: Mapping[str, Any]) -> None:
        places = list(range(len(self.ups)))
        own = places[:-1] if self.has_other else places
        fields = {"limits": QUICK, **fields}
        models = []
        if self.has_other:
            other = {"limits": fields["limits"], "backends": [self._link(places[-1])]}
            models.append(model_of(self.other_name, other))
        links = [self._link(place) for place in own]
        models.append(model_of(self.name, {"backends": links, **fields}))
        providers = [self._provider(place) for place in places]
        self.stack.apply({"providers": providers, "models": models})

    def _link(self, place: int) -> dict[str, Any]:
        return {
            "backend": self.slugs[place],
            "upstream_model": self.upstreams[place],
            "priority": -place,
            "capabilities": dict(self.ups[place].capabilities),
        }

    def _provider(self, place: int) -> dict[str, Any]:
        slug, up = self.slugs[place], self.ups[place]
        is_openai = up.protocol == "openai"
        simulator = self.stack.simulator
        url = simulator.openai_url if is_openai else simulator.anthropic_url
        keys = [
            {"name": f"k{number}", "secret": self.secret(place, number), "weight": 10**6 - number}
            for number in range(up.keys)
        ]
        return {
            "code": slug,
            "name": slug,
            "adapter": up.protocol,
            "auth_style": "bearer" if is_openai else "x-api-key",
            "backends": [{"slug": slug, "base_url": up.base_url or url}],
            "keys": keys,
        }

    def secret(self, place: int, number: int = 0) -> str:
        return f"sk-{self.slugs[place]}-number-{number}"

    def body(self, dialect: str, *, stream: bool, **more: Any) -> dict[str, Any]:  # noqa: ANN401
        body = {"model": self.name, "messages": HELLO, "stream": stream}
        if dialect == "anthropic":
            body["max_tokens"] = 4096
        elif stream:
            body["stream_options"] = {"include_usage": True}
        return {**body, **more}

    def ask(
        self,
        dialect: str = "openai",
        *,
        stream: bool = False,
        api: int = 0,
        **more: Any,  # noqa: ANN401
    ) -> Answer:
        started = time.monotonic()
        body = self.body(dialect, stream=stream, **more)
        with self.stack.http(api=api) as client:
            got = client.post(PATHS[dialect], json=body)
        seconds = time.monotonic() - started
        return Answer(dialect, stream, got.status_code, dict(got.headers), got.content, seconds)

    def asked(self, place: int) -> list[dict[str, Any]]:
        """What the simulator wrote down of one upstream, once it has nothing more to do."""
        self.stack.simulator.wait_idle()
        return self.stack.simulator.journal(model=self.upstreams[place])

    def counts(self) -> list[int]:
        return [len(self.asked(place)) for place in range(len(self.ups))]

    def text(self, place: int) -> str:
        pieces = parse_model(self.upstreams[place]).pieces
        assert pieces is not None
        return "".join(numbered_pieces(pieces, None))

    def books(self, answer: Answer) -> Books:
        record, entry = wait_for_settled(self.stack, answer.reference)
        query = select(Attempt).where(Attempt.request_id == record.id).order_by(Attempt.number)
        with self.stack.database.snapshot() as session:
            attempts = list(session.scalars(query))
        assert len(attempts) == record.attempts
        return Books(record, entry, attempts)

    def assert_served(self, answer: Answer, place: int, counts: list[int]) -> Books:
        """All three views of a call that was answered by this upstream after so many requests."""
        assert answer.status == 200, answer.raw
        told = answer.told()
        assert told.text == self.text(place)
        is_other = self.has_other and place == len(self.ups) - 1
        name = self.other_name if is_other else self.name
        assert (told.model, answer.headers["x-sluice-model"]) == (name, name)
        assert self.counts() == counts
        books = self.assert_charged(answer, place)
        assert answer.headers["x-sluice-attempts"] == str(sum(counts)) == str(len(books.attempts))
        assert books.record.answered_model == name
        return books

    def assert_charged(self, answer: Answer, place: int) -> Books:
        """The usage of that upstream's whole answer is told and paid, and nothing else is."""
        whole = [entry for entry in self.asked(place) if entry["completed"]]
        usage = whole[-1]["usage"]
        told = answer.told()
        assert told.usage == (usage["prompt_tokens"], usage["completion_tokens"])
        books = self.books(answer)
        assert (books.record.status, books.record.http_status) == ("succeeded", 200)
        assert (books.entry.kind, books.entry.basis) == ("charge", "reported")
        assert books.record.charge_nanos == reported_nanos(usage)
        assert books.outcomes[-1] == "ok"
        assert "ok" not in books.outcomes[:-1]
        assert not any(attempt.cost_nanos for attempt in books.attempts[:-1])
        return books

    def assert_free(self, answer: Answer, status: int, code: str | None) -> Books:
        """A refusal that the SDK understands; recorded, and nothing is paid."""
        assert (answer.status, answer.error().status) == (status, status), answer.raw
        if answer.dialect == "openai":
            assert answer.error().code == code
        books = self.books(answer)
        assert (books.record.status, books.record.charge_nanos) == ("failed", 0)
        assert books.entry.kind == "release"
        return books


def pair(stack: Stack, form: str, first: Up, second: Up, **fields: Any) -> Scene:  # noqa: ANN401
    """A first upstream, and one behind it: another backend, or that of a fallback model."""
    if form == "model":
        return Scene(stack, first, other=second, **fields)
    return Scene(stack, first, second, **fields)


def assert_sound(stack: Stack) -> None:
    """At the end of a module: no hold is open, and the books agree."""
    stack.wait_for(lambda: stack.open_holds() == 0)
    stack.drain()
    assert stack.differences() == []
    assert stack.user().used_nanos == stack.charged_nanos()
