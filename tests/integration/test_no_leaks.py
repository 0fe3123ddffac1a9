"""No answer and no log tells of upstreams, and nothing of the client's own travels there.

Every word that must not be told is one that nothing else would say: see ``HIDDEN``.
"""

import json
from collections.abc import Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.places import mark
from tests.stack import Stack
from tests.stack.of_module import stack_of_module
from tests.stack.stack import KEY, model_of

Json = dict[str, Any]

HEALTH = "sluice:1:health"
# Backends, providers and their keys are called so, and so our secrets begin.
SLUG, PROVIDER, KEY_NAME = "zebra", "quagga", "okapi"
HERD = "gnu7"  # in every secret of ours
SECRET = f"sk-{HERD}"
# What vendors say of themselves and of our account there.
OF_VENDORS = ("org-demo", "platform.openai.com", "help.openai.com", "api.anthropic.com")
UPSTREAM_MODELS = "sim-"
HIDDEN = (UPSTREAM_MODELS, SLUG, PROVIDER, KEY_NAME, HERD, *OF_VENDORS)

AGENT, COOKIE, FORWARDED = "marmot-browser/7", "session=lemur-cookie", "203.0.113.77"
PROMPT = "a walrus in the fog"
OF_THE_CLIENT = ("marmot", "lemur", FORWARDED, KEY)
NOT_FORWARDED = ("cookie", "forwarded", "via", "x-real-ip", "x-request-id", "origin", "referer")

PROTOCOLS = ("openai", "anthropic")
NOBODY = "nobody"  # nothing listens at this address
# Shapes of the simulator in which nothing or everything goes wrong.
FAULTS = (
    *("u5", "e400", "e401", "e402", "e403", "e404", "e408", "e409", "e413", "e422", "e429-ra9"),
    *("e500", "e502", "e503", "e504", "e529", "e418", "e301"),
    *("ctx", "policy", "quota", "noprefix", "refuse", "badjson", "html", "empty", "jsonstream"),
    *("hang", "q3", "k0", "k3", "c3", "j3", "err0", "err3", "midfinish", "nodone"),
    NOBODY,
)
SLOW = frozenset(("hang", "q3"))
LIMITS = {"first_event_seconds": 1, "first_byte_seconds": 1, "idle_seconds": 1, "total_seconds": 1}
ENVIRONMENT = {
    "SLUICE_LOG_LEVEL": "DEBUG",
    "SLUICE_UPSTREAM__RETRIES": "1",
    "SLUICE_UPSTREAM__TOTAL_SECONDS": "2",
}
AUTHENTICATIONS = {
    "bearer": {"authorization": f"Bearer {KEY}"},
    "x-api-key": {"x-api-key": KEY},
    "api-key": {"api-key": KEY},
    "all": {"authorization": f"Bearer {KEY}", "x-api-key": KEY, "api-key": KEY},
}
OTHERS = {
    "cookie": f"{COOKIE}; token={KEY}",
    "user-agent": AGENT,
    "x-forwarded-for": FORWARDED,
    "x-real-ip": FORWARDED,
    "forwarded": f"for={FORWARDED}",
    "via": "1.1 marmot-proxy",
    "origin": "https://marmot.example",
    "referer": f"https://marmot.example/?key={KEY}",
    "x-request-id": "marmot-request",
    "x-gateway-region": "marmot-land",
    "x-sluice-debug": "marmot",
    "x-gateway-trace": "marmot",
    "openai-organization": "org-marmot",
}


def hidden_by(stack: Stack) -> tuple[str, ...]:
    """What neither answers nor logs may say."""
    return (*HIDDEN, f"{stack.simulator.host}:{stack.simulator.port}", "127.0.0.1:1/", KEY)


def told(text: str, words: Iterable[str]) -> list[str]:
    """Which of the words are in the text."""
    return [word for word in words if word.lower() in text.lower()]


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    options: Json = {"worker": True, "environment": ENVIRONMENT}
    with stack_of_module(sqlite_template, **options) as running:
        for protocol in PROTOCOLS:
            for fault in FAULTS:
                add_model(running, protocol, fault)
        add_model(running, "openai", "u5", "embedding")
        add_model(running, "openai", "u5", "moderation")
        yield running


def name_of(protocol: str, fault: str, type_: str = "chat") -> str:
    return f"{type_}-{protocol}-{fault}-ill"


def add_model(stack: Stack, protocol: str, fault: str, type_: str = "chat") -> None:
    """With a provider of its own, so that its ills touch no other."""
    simulator = stack.simulator
    base_url = simulator.openai_url if protocol == "openai" else simulator.anthropic_url
    if fault == NOBODY:
        base_url = f"http://127.0.0.1:1/{SLUG}"
    place = f"{type_}-{protocol}-{fault}"
    backend = {"slug": f"{SLUG}-{place}", "name": f"{SLUG} {place}", "base_url": base_url}
    key = {"name": f"{KEY_NAME}-{place}", "secret": f"{SECRET}-{place}-{HERD}"}
    provider = {
        "code": f"{PROVIDER}-{place}",
        "name": f"{PROVIDER} {place}",
        "adapter": protocol,
        "backends": [backend],
        "keys": [key],
    }
    link = {"backend": backend["slug"], "upstream_model": f"{UPSTREAM_MODELS}{fault}"}
    fields = {"type": type_, "backends": [link], "limits": LIMITS, "prices": {"input": 1}}
    if type_ == "chat":
        fields["prices"] = {"input": 1, "output": 1}
    model = model_of(name_of(protocol, fault, type_), fields)
    stack.apply({"providers": [provider], "models": [model]})


class Reading:
    """Answers with everything that their client can read of them."""

    def __init__(self, stack: Stack, headers: Mapping[str, str]) -> None:
        self._http = httpx.Client(
            base_url=stack.url, headers={**OTHERS, **headers}, timeout=20, trust_env=False
        )
        self._stack = stack
        self._hidden = hidden_by(stack)

    def ask_anew(self, path: str, body: Json) -> tuple[int, str]:
        """Asked upstream for certain, whatever the calls before it have done to health."""
        self._stack.wait_for(lambda: self._stack.open_holds() == 0)  # what it says of health too
        with self._stack.redis.client() as client:
            client.delete(HEALTH)
        since = mark(self._stack)
        answered = self.ask(path, body)
        assert NOBODY in body["model"] or mark(self._stack) > since
        return answered

    def ask(self, path: str, body: Json | None = None, method: str = "POST") -> tuple[int, str]:
        """Status and text of one answer, up to where it breaks off; neither may tell anything."""
        status, text = 0, ""
        with self._http.stream(method, path, json=body) as answer:
            status = answer.status_code
            text = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
            try:
                for part in answer.iter_text():
                    text += part
            except httpx.TransportError:
                pass
        assert told(text, self._hidden) == [], (path, body, text)
        return status, text

    def close(self) -> None:
        self._http.close()


@pytest.fixture(params=AUTHENTICATIONS)
def reading(stack: Stack, request: pytest.FixtureRequest) -> Generator[Reading]:
    opened = Reading(stack, AUTHENTICATIONS[request.param])
    yield opened
    opened.close()


@pytest.fixture
def bearing(stack: Stack) -> Generator[Reading]:
    opened = Reading(stack, AUTHENTICATIONS["bearer"])
    yield opened
    opened.close()


def chats(model: str) -> Iterator[tuple[str, Json]]:
    """Both dialects, plain and as a stream."""
    body = {"model": model, "max_tokens": 20, "messages": [{"role": "user", "content": PROMPT}]}
    for path in ("/v1/chat/completions", "/v1/messages"):
        for stream in (False, True):
            yield path, {**body, "stream": stream}


def test_good_answers_of_every_route_tell_nothing(stack: Stack, reading: Reading) -> None:
    asked: list[tuple[str, Json | None, str]] = []
    for protocol in PROTOCOLS:
        model = name_of(protocol, "u5")
        asked += [(path, body, "POST") for path, body in chats(model)]
        messages = [{"role": "user", "content": PROMPT}]
        asked += [("/v1/messages/count_tokens", {"model": model, "messages": messages}, "POST")]
        asked += [(f"/v1/models/{model}", None, "GET")]
    embed, moderate = (name_of("openai", "u5", type_) for type_ in ("embedding", "moderation"))
    asked += [
        ("/v1/completions", {"model": name_of("openai", "u5"), "prompt": PROMPT}, "POST"),
        ("/v1/embeddings", {"model": embed, "input": PROMPT}, "POST"),
        ("/v1/moderations", {"model": moderate, "input": PROMPT}, "POST"),
    ]
    for path in ("models", "billing/subscription", "dashboard/billing/usage"):
        asked.append((f"/v1/{path}", None, "GET"))
    for path in ("/healthz", "/readyz", "/status"):
        asked.append((path, None, "GET"))
    for path, body, method in asked:
        status, text = reading.ask(path, body, method)
        assert status == 200, (path, text)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_ill_of_an_upstream_makes_an_answer_tell(
    bearing: Reading, protocol: str, fault: str
) -> None:
    for path, body in chats(name_of(protocol, fault)):
        bearing.ask_anew(path, body)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_vendor_that_refuses_our_key_tells_nothing(
    stack: Stack, bearing: Reading, protocol: str
) -> None:
    secret = f"{SECRET}-chat-{protocol}-u4-{HERD}"
    add_model(stack, protocol, "u4")
    stack.simulator.revoke(secret)
    for path, body in chats(name_of(protocol, "u4")):
        status, _ = bearing.ask_anew(path, body)
        assert status == 502
    stack.simulator.revoke()


def test_refusals_of_our_own_tell_nothing(stack: Stack, reading: Reading) -> None:
    known = name_of("openai", "u5")
    for model in ("unknown", f"{known}-not"):
        for path, body in chats(model):
            assert reading.ask(path, body)[0] == 404
    for path in ("/v1/chat/completions", "/v1/messages", "/v1/embeddings"):
        assert reading.ask(path, {"model": known})[0] == 400
    assert reading.ask("/v1/nothing-here")[0] == 404
    assert reading.ask("/v1/chat/completions", None, "DELETE")[0] == 405
    wrong = Reading(stack, {"authorization": f"Bearer {KEY}x"})
    for path, body in chats(known):
        assert wrong.ask(path, body)[0] == 401
    wrong.close()


def test_nothing_of_the_client_travels_upstream(stack: Stack, reading: Reading) -> None:
    since = mark(stack)
    for protocol in PROTOCOLS:
        for path, body in chats(name_of(protocol, "u5")):
            assert reading.ask(path, body)[0] == 200
    stack.simulator.wait_idle()
    entries = stack.simulator.journal(since)
    assert len(entries) == 4 * len(PROTOCOLS)
    for entry in entries:
        sent = json.dumps([entry["headers"], entry["body"], entry["path"]])
        assert told(sent, OF_THE_CLIENT) == []
        names = entry["headers"].keys()
        assert [name for name in names if name in NOT_FORWARDED or _is_ours(name)] == []
        assert SECRET in sent  # ours is there, the client's is not


def _is_ours(name: str) -> bool:
    return name.startswith(("x-forwarded", "x-sluice", "x-gateway"))


def test_no_log_tells_anything(stack: Stack, bearing: Reading) -> None:
    """Of all processes, with all that they say."""
    for protocol in PROTOCOLS:
        for fault in FAULTS:
            for path, body in () if fault in SLOW else chats(name_of(protocol, fault)):
                bearing.ask_anew(path, body)
    stack.wait_for(lambda: stack.open_holds() == 0)
    logs = {path.name: path.read_text() for path in stack.state_dir.glob("*.log")}
    assert {"api-0.log", "workers.log", "beat.log"} <= set(logs)
    assert '"level": "debug"' in logs["workers.log"]
    assert '"event": "attempt_failed"' in logs["api-0.log"]
    words = (*hidden_by(stack), COOKIE, PROMPT)
    for name, log in logs.items():
        for line in log.splitlines():
            assert told(line, words) == [], (name, line)
