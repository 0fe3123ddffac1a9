"""Where requests go: the base URL, the rule of versions, templates and parameters."""

import pytest

from gateway.providers import PROVIDERS
from tests.unit.providers.target import FakeTarget

HOST = "https://vendor.test"
CHAT = "/chat/completions"
KEY = "a&b=c d"


def url_of(adapter: str, operation: str, target: FakeTarget) -> str:
    return PROVIDERS[adapter].build(operation, target, b"{}", {}).url


@pytest.mark.parametrize(
    ("base", "path"),
    [
        ("", f"/v1{CHAT}"),
        ("/", f"/v1{CHAT}"),
        ("/v1", f"/v1{CHAT}"),
        ("/v1/", f"/v1{CHAT}"),
        ("/api/paas/v4", f"/api/paas/v4{CHAT}"),
        ("/v1beta", f"/v1beta{CHAT}"),
        ("/v1beta2", f"/v1beta2{CHAT}"),
        ("/v1beta/openai", f"/v1beta/openai{CHAT}"),
        ("/v1beta/openai/", f"/v1beta/openai{CHAT}"),
        ("/compatible-mode/v1", f"/compatible-mode/v1{CHAT}"),
        ("/openai", f"/openai{CHAT}"),
        ("/api", f"/api/v1{CHAT}"),
        ("/myopenai", f"/myopenai/v1{CHAT}"),
        ("/preview", f"/preview/v1{CHAT}"),
        ("/v1/proxy", f"/v1/proxy/v1{CHAT}"),
    ],
)
def test_a_base_url_without_a_version_gets_one(base: str, path: str) -> None:
    assert url_of("openai", "chat", FakeTarget(base_url=HOST + base)) == HOST + path


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        ("chat", "/v1/chat/completions"),
        ("completions", "/v1/completions"),
        ("embeddings", "/v1/embeddings"),
        ("moderations", "/v1/moderations"),
        ("models", "/v1/models"),
    ],
)
def test_every_operation_of_the_openai_protocol_has_its_path(operation: str, path: str) -> None:
    assert url_of("openai", operation, FakeTarget()) == HOST + path


@pytest.mark.parametrize(
    ("base", "operation", "path"),
    [
        ("", "chat", "/v1/messages"),
        ("/v1", "chat", "/v1/messages"),
        ("/anthropic", "chat", "/anthropic/v1/messages"),
        ("/anthropic/v1", "chat", "/anthropic/v1/messages"),
        ("", "count_tokens", "/v1/messages/count_tokens"),
        ("/v1", "count_tokens", "/v1/messages/count_tokens"),
        ("", "models", "/v1/models"),
    ],
)
def test_the_anthropic_protocol_follows_the_same_rule(base: str, operation: str, path: str) -> None:
    assert url_of("anthropic", operation, FakeTarget(base_url=HOST + base)) == HOST + path


@pytest.mark.parametrize(
    ("base", "template", "url"),
    [
        ("", "/openai/deployments/{model}/chat", "/openai/deployments/a%2Fb%20c/chat"),
        ("/v1", "/complete", "/v1/complete"),
        ("/any/path", "complete", "/any/path/complete"),
    ],
)
def test_a_template_is_appended_as_it_is_with_the_model_quoted(
    base: str, template: str, url: str
) -> None:
    target = FakeTarget(
        base_url=HOST + base, path_templates={"chat": template}, upstream_model="a/b c"
    )
    assert url_of("openai", "chat", target) == HOST + url


def test_a_template_may_name_an_operation_of_its_own() -> None:
    target = FakeTarget(path_templates={"rerank": "/rerank"})
    assert url_of("openai", "rerank", target) == f"{HOST}/v1/rerank"


@pytest.mark.parametrize(
    ("base", "template", "query"),
    [
        ("", "/chat", "?key=a%26b%3Dc+d&api-version=2024-10-21"),
        ("?tenant=7", "/chat", "?tenant=7&key=a%26b%3Dc+d&api-version=2024-10-21"),
        ("", "/chat?x=1", "?x=1&key=a%26b%3Dc+d&api-version=2024-10-21"),
    ],
)
def test_parameters_are_encoded_and_stand_behind_those_that_are_there(
    base: str, template: str, query: str
) -> None:
    target = FakeTarget(
        base_url=HOST + base,
        auth_style="query:key",
        secret=KEY,
        api_version="2024-10-21",
        path_templates={"chat": template},
    )
    assert url_of("openai", "chat", target) == f"{HOST}/chat{query}"
