"""Lists of models that may be used: names, and patterns such as ``small-*``."""

import fnmatch
import re
from functools import lru_cache

ALL_MODELS = "*"
WILDCARDS = re.compile(r"[*?\[]")


def admits(names: frozenset[str], model: str) -> bool:
    """Names count before patterns, whatever characters they are made of; case matters."""
    if model in names or ALL_MODELS in names:
        return True
    pattern = _pattern(names)
    return pattern is not None and pattern.fullmatch(model) is not None


@lru_cache(maxsize=4096)
def _pattern(names: frozenset[str]) -> re.Pattern[str] | None:
    """All patterns of a list as one; a frozen set keeps its hash, so that asking is cheap."""
    globs = sorted(name for name in names if WILDCARDS.search(name))
    return re.compile("|".join(map(fnmatch.translate, globs))) if globs else None
