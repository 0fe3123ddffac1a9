"""Starting everything on this machine in order, and watching over it until the end."""

from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from gateway import crypto, settings
from gateway.configuration import quickstart
from gateway.db import Database, migrate
from gateway.errors import GatewayError
from gateway.settings import Settings
from gateway.supervisor import memory, ports, readiness, redis_binary, roster, welcome
from gateway.supervisor.crew import Announce, Crew, StoppedError
from gateway.supervisor.problems import StartError
from gateway.supervisor.signals import Signals
from gateway.supervisor.stack import Stack

START_SECONDS = 60.0


def up(given: Settings, *, announce: Announce) -> int:
    """Run until stopped; returns the exit code. Refusals are one line each, without effect."""
    try:
        with roster.claim(given.state_dir.resolve()), Signals() as signals:
            return _run(given, signals, announce)
    except StartError as error:
        announce(f"sluice: {error}")
        return 1


def _run(given: Settings, signals: Signals, announce: Announce) -> int:
    state_dir = given.state_dir.resolve()
    for name in roster.Roster(state_dir).end_leftovers():
        announce(f"ended {name}, left behind by a supervisor that was killed")
    ports.require_free(given.api.host, given.port)
    stack = Stack(
        given.model_copy(update={"state_dir": state_dir}),
        settings.environment(),
        memory.recall(state_dir),
    )
    crew = Crew(state_dir, signals, announce)
    try:
        _start(stack, crew, announce)
        crew.run()
    except StoppedError:
        pass
    finally:
        if crew.children:
            announce("Stopping; Ctrl-C once more kills at once")
            crew.stop()
    return 0


def _start(stack: Stack, crew: Crew, announce: Announce) -> None:
    simulated = quickstart.needs_simulator(stack.environment)
    if not stack.settings.redis_url:
        crew.start(stack.redis(_get_redis()))
    if simulated:
        stack.simulator_ready_file.unlink(missing_ok=True)
        crew.start(stack.simulator())
    _migrate(stack.settings.resolved_database_url)
    redis_url = stack.settings.resolved_redis_url
    crew.wait_until(lambda: readiness.redis_answers(redis_url), "Redis", START_SECONDS)
    if simulated:
        crew.wait_until(stack.simulator_ready_file.exists, "the simulator", START_SECONDS)
    made = _ensure_quickstart(stack, simulated=simulated)
    crew.start(*stack.gateway())
    crew.wait_until(stack.api_is_ready, "the API", START_SECONDS)
    welcome.write(stack, made)
    announce(welcome.text(stack, made, simulated=simulated))


def _migrate(url: str) -> None:
    try:
        migrate.upgrade(url)
    except (SQLAlchemyError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        msg = f"the database cannot be migrated: {reason} (DATABASE_URL)"
        raise StartError(msg) from error


def _get_redis() -> Path:
    found = redis_binary.find()
    if found is None:
        msg = (
            "no Redis server of version 6.2 or newer was found; "
            "install one (apt-get install redis-server) or set REDIS_URL"
        )
        raise StartError(msg)
    return found


def _ensure_quickstart(stack: Stack, *, simulated: bool) -> quickstart.Quickstart:
    """An administrator, a key and models to call; the second time the same ones again."""
    key = stack.settings.secret_key.get_secret_value()
    sealer = crypto.Sealer(key or crypto.load_or_create_key(stack.state_dir))
    database = Database.connect(
        stack.settings.resolved_database_url, stack.settings.database, "sluice up"
    )
    try:
        return quickstart.ensure(
            database,
            sealer,
            stack.environment,
            stack.simulator_url if simulated else None,
            kept_password=stack.memory.admin_password,
        )
    except GatewayError as error:
        msg = f"the configuration could not be prepared: {error}"
        raise StartError(msg) from error
    finally:
        database.close()
