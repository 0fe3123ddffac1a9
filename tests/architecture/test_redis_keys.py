"""The Lua scripts and ``gateway/cache/keys.py`` mean the same keys, and nobody else names any."""

import ast
import re
from functools import cache

from gateway.cache import keys
from tests.architecture.sources import PRODUCT, ROOT, python_files

SCRIPTS = ROOT / "gateway" / "admission" / "lua"
KEYS_MODULE = "gateway/cache/keys.py"

# Of one evaluation of the script, which takes it away again: nobody else ever sees it.
OF_THE_SCRIPT_ALONE = {"scratch"}


@cache
def _script() -> str:
    text = "\n".join(path.read_text() for path in sorted(SCRIPTS.glob("*.lua")))
    return re.sub(r"--.*", "", text)


def _named_in_lua() -> dict[str, str]:
    """Local names of common keys and what they stand for: ``local A, B = P .. 'a', P .. 'b'``."""
    found: dict[str, str] = {}
    for left, right in re.findall(
        r"^local ([A-Z][A-Z, ]*) = (P \.\. .*)$", _script(), re.MULTILINE
    ):
        found |= dict(zip(left.split(", "), re.findall(r"P \.\. '([^']+)'", right), strict=True))
    return found


def _known() -> set[str]:
    """What may follow the prefix: whole names, and beginnings up to a colon."""
    whole = [value for name, value in vars(keys).items() if name.isupper() and _is_ours(value)]
    made = [keys.allowance(""), keys.user_holds(""), keys.revision("", "")]
    patterns = [pattern.partition("*")[0] for pattern in keys.STATE_PATTERNS]
    return {name.removeprefix(keys.PREFIX) for name in (*whole, *made, *patterns)}


def _is_ours(value: object) -> bool:
    return isinstance(value, str) and value.startswith(keys.PREFIX) and value != keys.PREFIX


def test_the_prefix_is_the_same() -> None:
    [prefix] = re.findall(r"^local P = '([^']+)'$", _script(), re.MULTILINE)
    assert prefix == keys.PREFIX


def test_a_name_of_both_sides_is_the_same_key() -> None:
    named = _named_in_lua()
    assert named
    for name, suffix in named.items():
        known = getattr(keys, name, None)
        if known is not None:
            assert known == keys.PREFIX + suffix, name


def test_the_script_makes_no_key_that_python_does_not_know() -> None:
    used = set(re.findall(r"P \.\. '([^']+)'", _script()))
    beginnings = {name.partition(":")[0] + ":" if ":" in name else name for name in _known()}
    assert used - OF_THE_SCRIPT_ALONE - beginnings == set()


def test_what_the_script_keeps_per_user_has_the_same_name() -> None:
    assert re.search(r"function allowance_key\(user\) return P \.\. 'u:' \.\. user", _script())
    assert keys.allowance("7") == keys.PREFIX + "u:7"
    assert re.search(r"function holds_key\(user\) return P \.\. 'h:' \.\. user", _script())
    assert keys.user_holds("7") == keys.PREFIX + "h:7"
    assert "P .. 'rev:' .. kind .. ':' .. id" in _script()
    assert keys.revision("user", "7") == keys.PREFIX + "rev:user:7"


def test_a_recovery_wipes_what_the_script_keeps_or_leaves_it_on_purpose() -> None:
    # The stream is drained, revisions only ever grow, epoch and mark are the recovery's own.
    survives = {"epoch", "settlements", "trimmed", "rev:"}
    # Of the meters only what is open now is wiped: what was counted before still counts.
    assert keys.PREFIX + "m:*:open" in keys.STATE_PATTERNS
    wiped = {pattern.partition("*")[0] for pattern in keys.STATE_PATTERNS}
    used = set(re.findall(r"P \.\. '([^']+)'", _script())) - OF_THE_SCRIPT_ALONE
    assert {keys.PREFIX + name for name in used - survives} <= wiped


def test_no_key_is_named_outside_its_module() -> None:
    found = [
        f"{source.path}:{node.lineno}"
        for source in python_files(*PRODUCT)
        if source.path != KEYS_MODULE
        for node in ast.walk(source.tree)
        if _names_a_key(node)
        if isinstance(node, ast.expr)
    ]
    assert found == []


def _names_a_key(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.match(r"sluice:\w+:", node.value) is not None
    return isinstance(node, ast.Attribute) and ast.unparse(node) == "keys.PREFIX"
