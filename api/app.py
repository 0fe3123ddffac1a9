"""The application: routes, errors and life cycle, put together."""

from sanic.config import Config

from api import errors, lifecycle, middleware
from api.context import App, AppContext, Request
from api.surfaces import BLUEPRINTS
from gateway.settings import Settings

NAME = "sluice"


def create_app(settings: Settings) -> App:
    """Build the application; nothing is opened before the server process starts."""
    app: App = App(
        NAME,
        config=_config(settings),
        ctx=AppContext(settings=settings, is_stopping=False),
        request_class=Request,  # type: ignore[arg-type]
        configure_logging=False,
    )
    for blueprint in BLUEPRINTS:
        app.blueprint(blueprint)
    middleware.register(app)
    errors.register(app)
    lifecycle.register(app)
    return app


def _config(settings: Settings) -> Config:
    return Config(
        {
            "ACCESS_LOG": False,  # our own request record is the log
            "REQUEST_MAX_SIZE": settings.api.max_body_bytes,
            "REQUEST_TIMEOUT": 60,
            "RESPONSE_TIMEOUT": settings.api.response_timeout_seconds,
            "KEEP_ALIVE_TIMEOUT": settings.api.keep_alive_seconds,
            "GRACEFUL_SHUTDOWN_TIMEOUT": settings.api.graceful_shutdown_seconds,
            "MOTD": False,
            "FALLBACK_ERROR_FORMAT": "json",
        },
        env_prefix="",
    )
