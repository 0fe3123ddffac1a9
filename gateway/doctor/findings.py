"""One line of the doctor's report."""

from dataclasses import dataclass
from enum import StrEnum

from pydantic import ValidationError

ALIASES = ("PORT", "DATABASE_URL", "REDIS_URL")


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    level: Level
    subject: str
    message: str
    advice: str = ""


def describe_invalid(error: ValidationError) -> list[str]:
    """One line per invalid setting, named as the environment variable that holds it."""
    return [f"{_variable(problem['loc'])}: {problem['msg']}" for problem in error.errors()]


def _variable(location: tuple[int | str, ...]) -> str:
    name = "__".join(str(part) for part in location).upper().removeprefix("SLUICE_")
    return f"{name} (or SLUICE_{name})" if name in ALIASES else f"SLUICE_{name}"
