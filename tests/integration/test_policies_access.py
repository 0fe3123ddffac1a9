"""Who may use what, from where and when: every rule at its boundary, at two API processes."""

import datetime as dt
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from gateway import clock
from tests.integration.policies import CHAT, MODELS, PROXIED, People, Person
from tests.stack.of_module import stack_of_module

DENIED, ELSEWHERE, TOO_EARLY = "model_not_allowed", "address_not_allowed", "outside_time_range"
BAD_KEY, USED_UP = "invalid_api_key", "insufficient_quota"
HIDDEN: dict[str, dict[str, Any]] = {"hidden": {"backends": []}}
A_MOMENT_SECONDS = 4.0


@pytest.fixture(scope="module")
def people(sqlite_template: Path) -> Generator[People]:
    with (
        stack_of_module(
            sqlite_template, apis=2, models={**MODELS, **HIDDEN}, environment=PROXIED
        ) as stack,
        People(stack) as opened,
    ):
        yield opened


@pytest.mark.parametrize(
    ("models", "allowed", "denied"),
    [
        ([], (), ("chat", "gpt-one")),
        (["chat"], ("chat",), ("gpt-one",)),
        (["gpt-*"], ("gpt-one", "gpt-two"), ("chat",)),
        (["gpt-on?", "chat"], ("gpt-one", "chat"), ("gpt-two",)),
        (["*"], ("chat", "gpt-one", "gpt-two"), ()),
    ],
)
def test_models_of_a_policy(
    people: People, models: list[str], allowed: tuple[str, ...], denied: tuple[str, ...]
) -> None:
    check_models(people.add({"models": models}), allowed, denied)


def check_models(person: Person, allowed: tuple[str, ...], denied: tuple[str, ...]) -> None:
    for model in allowed:
        person.passes(2, model)
    for model in denied:
        person.is_refused(403, DENIED, model)
    for client in person.clients:
        answer = client.get("/v1/models", headers={"authorization": f"Bearer {person.key}"})
        listed = {row["id"] for row in answer.json()["data"]}
        assert set(allowed) <= listed
        assert not listed & set(denied)


@pytest.mark.parametrize("owner", ["key", "app"])
@pytest.mark.parametrize(
    ("models", "allowed", "denied"),
    [
        (None, ("chat", "gpt-one"), ()),
        ([], ("chat", "gpt-one"), ()),
        (["chat"], ("chat",), ("gpt-one", "gpt-two")),
        (["*-one"], ("gpt-one",), ("chat", "gpt-two")),
    ],
)
def test_models_of_a_key_or_an_app(
    people: People,
    owner: str,
    models: list[str] | None,
    allowed: tuple[str, ...],
    denied: tuple[str, ...],
) -> None:
    lists: dict[str, Any] = {"key": {}, "app": {}, owner: {"models": models}}
    check_models(people.add(**lists), allowed, denied)


def test_a_model_must_be_on_every_list(people: People) -> None:
    person = people.add(
        {"models": ["gpt-*", "chat"]},
        key={"models": ["*-one", "chat"]},
        app={"models": ["gpt-one", "gpt-two"]},
    )
    check_models(person, ("gpt-one",), ("gpt-two", "chat"))


ADDRESSES = [
    (["10.1.2.3"], ("10.1.2.3",), ("10.1.2.4", "127.0.0.1")),
    (["10.1.0.0/16"], ("10.1.0.0", "10.1.255.255"), ("10.0.255.255", "10.2.0.0")),
    (["10.0.0.5-10.0.0.9"], ("10.0.0.5", "10.0.0.9"), ("10.0.0.4", "10.0.0.10")),
    (["2001:db8::1"], ("2001:db8::1", "2001:db8:0::1"), ("2001:db8::2", "10.0.0.1")),
    (["2001:db8::/32"], ("2001:db8:ffff::1",), ("2001:db7::1", "2001:db9::1")),
    (
        ["2001:db8::5-2001:db8::9"],
        ("2001:db8::5", "2001:db8::9"),
        ("2001:db8::4", "2001:db8::a"),
    ),
]


@pytest.mark.parametrize("owner", ["key", "app"])
@pytest.mark.parametrize(("entries", "inside", "outside"), ADDRESSES)
def test_addresses_of_a_key_or_an_app(
    people: People,
    owner: str,
    entries: list[str],
    inside: tuple[str, ...],
    outside: tuple[str, ...],
) -> None:
    for name, good, bad in (("ip_allow", inside, outside), ("ip_deny", outside, inside)):
        lists: dict[str, Any] = {"key": {}, "app": {}, owner: {name: entries}}
        person = people.add(**lists)
        for address in good:
            assert person.ask(headers={"x-forwarded-for": address}).status_code == 200
        for address in bad:
            person.is_refused(403, ELSEWHERE, headers={"x-forwarded-for": address})


def test_what_is_denied_is_denied_though_it_is_allowed(people: People) -> None:
    person = people.add(key={"ip_allow": ["10.0.0.0/8"], "ip_deny": ["10.0.0.5"]})
    assert person.ask(headers={"x-forwarded-for": "10.0.0.4"}).status_code == 200
    person.is_refused(403, ELSEWHERE, headers={"x-forwarded-for": "10.0.0.5"})


def test_key_and_app_must_both_admit_an_address(people: People) -> None:
    person = people.add(key={"ip_allow": ["10.0.0.0/8"]}, app={"ip_allow": ["10.0.0.5"]})
    assert person.ask(headers={"x-forwarded-for": "10.0.0.5"}).status_code == 200
    person.is_refused(403, ELSEWHERE, headers={"x-forwarded-for": "10.0.0.6"})


def test_nobody_chooses_his_own_address_by_a_header(people: People) -> None:
    person = people.add(key={"ip_allow": ["10.0.0.5"]})
    claimed = {"x-forwarded-for": "10.0.0.5, 10.9.9.9"}
    person.is_refused(403, ELSEWHERE, headers=claimed)
    person.is_refused(403, ELSEWHERE)  # nor is the machine itself let in


def test_times_of_day(people: People) -> None:
    now = start_of_a_minute()
    for ranges in ([(0, 5)], [(-5, 1)], [(-700, -5), (-1, 700)]):
        people.add(policy_of(now, ranges)).passes(2)
    for ranges in ([(-5, 0)], [(1, 5)], [(5, -5)], [(-9, -5), (5, 9)]):
        person = people.add(policy_of(now, ranges))
        person.is_refused(403, TOO_EARLY)


def test_times_of_day_of_a_time_zone(people: People) -> None:
    now = start_of_a_minute()
    tokyo = now.astimezone(dt.timezone(dt.timedelta(hours=9)))
    people.add({**policy_of(tokyo, [(0, 5)]), "timezone": "Asia/Tokyo"}).passes(2)
    person = people.add({**policy_of(now, [(0, 5)]), "timezone": "Asia/Tokyo"})
    person.is_refused(403, TOO_EARLY)


def start_of_a_minute() -> dt.datetime:
    """Now, with enough left of this minute for what follows."""
    while (now := clock.now()).second > 50:
        time.sleep(0.5)
    return now


def policy_of(now: dt.datetime, ranges: list[tuple[int, int]]) -> dict[str, Any]:
    """Ranges by minutes from now; around midnight they span it."""

    def at(minutes: int) -> str:
        return (now + dt.timedelta(minutes=minutes)).strftime("%H:%M")

    written = [{"start": at(start), "end": at(end)} for start, end in ranges]
    return {"available_time_ranges": written}


def test_keys_and_allowances_end_in_time(people: People) -> None:
    end = clock.now() + dt.timedelta(seconds=A_MOMENT_SECONDS)
    over = end.isoformat()
    cases = [
        (people.add(key={"valid_until": over}), 401, BAD_KEY),
        (people.add(key={"expires_at": over}), 429, USED_UP),
        (people.add(app={"expires_at": over}), 429, USED_UP),
        (people.add(expires_at=over), 429, USED_UP),
    ]
    for person, _, _ in cases:
        person.passes()
    assert clock.now() < end
    time.sleep(max(0.0, (end - clock.now()).total_seconds()))
    for person, status, code in cases:
        person.is_refused(status, code)


@pytest.mark.parametrize(
    ("on", "off"),
    [
        ({}, {"key": {"enabled": False}}),
        ({"app": {}}, {"app": {"enabled": False}}),
        ({}, {"status": "disabled"}),
        ({}, {"status": "pending"}),
        ({}, {"status": "rejected"}),
    ],
)
def test_who_is_disabled_is_refused_at_once(
    people: People, on: dict[str, Any], off: dict[str, Any]
) -> None:
    person = people.add(**on)
    person.passes(2)
    people.update(person, **off)
    person.is_refused(401, BAD_KEY)
    enabled = {"key": {"enabled": True}, "status": "active"}
    people.update(person, **({"app": {"enabled": True}} if on else enabled))
    person.passes(2)


def test_a_policy_that_is_changed_holds_at_once(people: People) -> None:
    person = people.add()
    person.passes(2)
    people.update(person, {"models": ["gpt-*"]})
    person.is_refused(403, DENIED)
    person.passes(2, "gpt-one")


def test_the_default_model_answers_for_what_may_not_be_used(people: People) -> None:
    person = people.add({"models": ["gpt-one"], "default_model": "gpt-one"})
    for model, answered in (("gpt-one", "gpt-one"), ("chat", "gpt-one")):
        answer = person.ask(model)
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-sluice-model"] == answered


def test_the_default_model_answers_for_what_has_no_backend(people: People) -> None:
    person = people.add({"default_model": "gpt-one"})
    answer = person.ask("hidden")
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-sluice-model"] == "gpt-one"
    assert person.ask("chat").headers["x-sluice-model"] == "chat"


def test_the_default_model_does_not_answer_for_what_does_not_exist(people: People) -> None:
    person = people.add({"default_model": "gpt-one"})
    person.is_refused(404, "model_not_found", "nope")


def test_a_key_that_may_not_use_the_default_model_is_refused(people: People) -> None:
    policy = {"models": ["gpt-one"], "default_model": "gpt-one"}
    person = people.add(policy, key={"models": ["gpt-two"]})
    person.is_refused(403, DENIED)


def test_a_key_of_nobody_is_refused(people: People) -> None:
    for client in people.add().clients:
        body = {"model": "chat", "messages": [{"role": "user", "content": "x"}]}
        headers = {"authorization": "Bearer llm-" + "f" * 64}
        assert client.post(CHAT, json=body, headers=headers).status_code == 401
