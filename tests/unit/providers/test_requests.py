"""What adapters send: credentials in every style, headers and their order of precedence."""

import pytest

from gateway.providers import PROVIDERS
from tests.unit.providers.target import FakeTarget

KEY = "sk-ours"


def headers_of(adapter: str, target: FakeTarget, **extra: str) -> dict[str, str]:
    given = {name.replace("_", "-"): value for name, value in extra.items()}
    return dict(PROVIDERS[adapter].build("chat", target, b"{}", given).headers)


@pytest.mark.parametrize(
    ("style", "header"),
    [
        ("bearer", ("authorization", f"Bearer {KEY}")),
        ("x-api-key", ("x-api-key", KEY)),
        ("api-key", ("api-key", KEY)),
    ],
)
@pytest.mark.parametrize("adapter", PROVIDERS)
def test_our_key_is_shown_as_the_vendor_wants_it(
    adapter: str, style: str, header: tuple[str, str]
) -> None:
    sent = headers_of(adapter, FakeTarget(auth_style=style, secret=KEY))
    assert header in sent.items()
    assert len([value for value in sent.values() if KEY in value]) == 1


@pytest.mark.parametrize("style", ["none", "query:key"])
def test_without_a_header_for_it_no_header_holds_our_key(style: str) -> None:
    sent = headers_of("openai", FakeTarget(auth_style=style, secret=KEY))
    assert not any(KEY in value for value in sent.values())


def test_nothing_that_is_sent_along_takes_the_place_of_our_key() -> None:
    target = FakeTarget(auth_style="bearer", secret=KEY, headers={"Authorization": "Bearer sk-row"})
    sent = headers_of("openai", target, AUTHORIZATION="Bearer sk-client")
    assert sent["authorization"] == f"Bearer {KEY}"
    assert "Authorization" not in sent


def test_headers_of_the_call_win_over_those_of_the_provider_in_any_spelling() -> None:
    target = FakeTarget(headers={"X-Team": "ours", "Content-Type": "application/x"})
    sent = headers_of("openai", target, x_team="theirs")
    assert (sent["x-team"], sent["content-type"]) == ("theirs", "application/x")
    assert sent["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("target", "extra", "version"),
    [
        (FakeTarget(), {}, "2023-06-01"),
        (FakeTarget(api_version="2024-01-01"), {}, "2024-01-01"),
        (FakeTarget(headers={"Anthropic-Version": "2025-01-01"}), {}, "2025-01-01"),
        (
            FakeTarget(headers={"anthropic-version": "2025-01-01"}),
            {"anthropic_version": "2026-01-01"},
            "2026-01-01",
        ),
    ],
)
def test_the_version_of_the_anthropic_protocol_can_be_said_by_row_and_call(
    target: FakeTarget, extra: dict[str, str], version: str
) -> None:
    assert headers_of("anthropic", target, **extra)["anthropic-version"] == version


@pytest.mark.parametrize("adapter", PROVIDERS)
def test_models_are_read_and_all_else_is_posted(adapter: str) -> None:
    provider = PROVIDERS[adapter]
    assert provider.protocol == adapter
    assert provider.build("models", FakeTarget(), b"", {}).method == "GET"
    request = provider.build("chat", FakeTarget(), b'{"a":1}', {})
    assert (request.method, request.body) == ("POST", b'{"a":1}')
