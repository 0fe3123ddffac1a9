"""What tests of policies share: people with a policy of their own, who ask two API processes."""

import itertools
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx
from sqlalchemy import func, select

from models import LedgerEntry, RequestRecord, User
from tests.stack import Stack

CHAT = "/v1/chat/completions"
MAX_TOKENS = 5
PROMPT, COMPLETION = 1, 5  # what the simulator reports for the model "chat"
USED_TOKENS = PROMPT + COMPLETION
USED_NANOS = PROMPT * 1_000 + COMPLETION * 10_000
MODELS: dict[str, dict[str, Any]] = {
    "chat": {"upstream": f"sim-chat-p{PROMPT}-u{COMPLETION}"},
    "gpt-one": {},
    "gpt-two": {},
    "broken": {"upstream": "sim-chat-e400"},
}
PROXIED = {"SLUICE_API__TRUSTED_PROXIES": '["127.0.0.1"]'}
_numbers = itertools.count()


@dataclass(slots=True)
class Person:
    """A user with one key; every call goes to the other process than the one before."""

    stack: Stack
    clients: tuple[httpx.Client, ...]
    name: str
    key: str
    turn: "itertools.cycle[httpx.Client]" = field(init=False)

    def __post_init__(self) -> None:
        self.turn = itertools.cycle(self.clients)

    @property
    def email(self) -> str:
        return f"{self.name}@example.com"

    def ask(
        self,
        model: str = "chat",
        headers: Mapping[str, str] | None = None,
        **fields: Any,  # noqa: ANN401 -- of the request
    ) -> httpx.Response:
        """One call, settled when this returns."""
        answer = self.begin(model, headers, **fields)
        self.stack.wait_for(lambda: self.stack.open_holds() == 0)
        return answer

    def begin(
        self,
        model: str = "chat",
        headers: Mapping[str, str] | None = None,
        **fields: Any,  # noqa: ANN401
    ) -> httpx.Response:
        """One call; others may be under way."""
        body = {
            "model": model,
            "messages": [{"role": "user", "content": "hello"}],
            "max_tokens": MAX_TOKENS,
            **fields,
        }
        sent = {"authorization": f"Bearer {self.key}", **(headers or {})}
        wanted = {name: value for name, value in body.items() if value is not None}
        return next(self.turn).post(CHAT, json=wanted, headers=sent)

    def passes(self, calls: int = 1, model: str = "chat") -> None:
        for _ in range(calls):
            answer = self.ask(model)
            assert answer.status_code == 200, answer.text

    def is_refused(
        self, status: int, code: str, model: str = "chat", headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Both processes refuse, and nothing is charged; only for what passes one may wait."""
        spent = self.spent()
        answers = [self.ask(model, headers) for _ in self.clients]
        for answer in answers:
            assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
            if status != 429:
                assert "retry-after" not in answer.headers
        assert self.spent() == spent
        return answers[-1]

    def spent(self) -> tuple[int, int]:
        """Records and nanos of this user."""
        self.stack.drain()
        with self.stack.database.snapshot() as session:
            user_id = session.scalar(select(User.id).where(User.email == self.email))
            records = select(func.count()).where(RequestRecord.user_id == user_id)
            nanos = select(func.sum(LedgerEntry.amount_nanos)).where(LedgerEntry.user_id == user_id)
            return int(session.scalar(records) or 0), int(session.scalar(nanos) or 0)


class People:
    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._exits = ExitStack()
        self._clients = tuple(
            self._exits.enter_context(stack.http(api=number)) for number in range(len(stack.apis))
        )

    def add(
        self,
        policy: Mapping[str, Any] | None = None,
        key: Mapping[str, Any] | None = None,
        app: Mapping[str, Any] | None = None,
        **user: Any,  # noqa: ANN401 -- fields of the import file
    ) -> Person:
        number = next(_numbers)
        secret = f"llm-{number:04}-" + "0123456789abcdef" * 3
        person = Person(self.stack, self._clients, f"person-{number}", secret)
        fields = {"limit_usd": None, **user}
        self.update(person, {"models": ["*"], **(policy or {})}, key, app, **fields)
        return person

    def update(
        self,
        person: Person,
        policy: Mapping[str, Any] | None = None,
        key: Mapping[str, Any] | None = None,
        app: Mapping[str, Any] | None = None,
        **user: Any,  # noqa: ANN401
    ) -> None:
        """Change what is named and keep the rest."""
        own = {"name": "key", "key": person.key, **(key or {})}
        apps = [] if app is None else [{"name": "app", **app}]
        if apps:
            own["app"] = "app"
        fields = {"email": person.email, "policy": person.name, **user}
        self.stack.apply(
            {
                "policies": [{"name": person.name, **(policy or {})}],
                "users": [{**fields, "apps": apps, "keys": [own]}],
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exits.close()
