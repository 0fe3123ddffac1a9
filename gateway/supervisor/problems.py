"""Why a start was refused, in lines that a newcomer can act on."""

from pydantic import ValidationError

# Understood without the prefix too, and mostly set that way.
SHORT_NAMES = frozenset({"PORT", "DATABASE_URL", "REDIS_URL"})


class StartError(Exception):
    """Sluice cannot start; the message is the whole explanation, one line."""


def describe(error: ValidationError) -> list[str]:
    """One line per invalid setting, named as the environment variable that holds it."""
    return [f"{_variable(problem['loc'])}: {problem['msg']}" for problem in error.errors()]


def _variable(location: tuple[int | str, ...]) -> str:
    name = "__".join(str(part) for part in location).upper().removeprefix("SLUICE_")
    return f"{name} or SLUICE_{name}" if name in SHORT_NAMES else f"SLUICE_{name}"
