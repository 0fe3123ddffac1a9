"""Every route has somebody who may use it."""

from collections.abc import Iterator

import pytest
from sanic import Sanic

from api.app import create_app
from api.permissions import PERMISSIONS
from gateway.settings import Settings


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[tuple[str, str]]]:
    # Otherwise two applications of one name may not be made in one process.
    monkeypatch.setattr(Sanic, "test_mode", True)
    app = create_app(Settings())
    yield {(method, f"/{route.path}") for route in app.router.routes for method in route.methods}
    Sanic.unregister_app(app)


def test_every_route_is_public_or_has_a_permission(routes: set[tuple[str, str]]) -> None:
    assert sorted(routes - set(PERMISSIONS)) == []


def test_every_permission_is_for_a_route_that_exists(routes: set[tuple[str, str]]) -> None:
    assert sorted(set(PERMISSIONS) - routes) == []
