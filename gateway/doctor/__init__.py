"""What is configured, reachable and wrong, and what to do about it."""

from pydantic import ValidationError

from gateway import settings as settings_of
from gateway.doctor.activity import check_activity
from gateway.doctor.catalog import check_catalog, check_reachable
from gateway.doctor.findings import Finding, Level, describe_invalid
from gateway.doctor.health import check_health
from gateway.doctor.machine import check_machine
from gateway.doctor.redis import check_redis
from gateway.doctor.storage import check_storage
from gateway.errors import GatewayError
from gateway.settings import Settings

__all__ = ["Finding", "Level", "describe_invalid", "examine"]


def examine() -> list[Finding]:
    """Every check; one that fails does not stop those that can still be made."""
    try:
        settings = settings_of.load()
    except ValidationError as error:
        return [Finding(Level.ERROR, "settings", line) for line in describe_invalid(error)]
    found = [Finding(Level.OK, "settings", "all values are valid")]
    found += check_machine(settings)
    stored = check_storage(settings)
    found += stored
    found += check_redis(settings)
    if not any(finding.level is Level.ERROR for finding in stored):
        found += _check_contents(settings)
    return found


def _check_contents(settings: Settings) -> list[Finding]:
    try:
        catalog, backends = check_catalog(settings)
        found = [*check_activity(settings), *catalog, *check_reachable(backends)]
        return [*found, *check_health(settings)]
    except GatewayError as error:
        return [Finding(Level.ERROR, "database", str(error))]
