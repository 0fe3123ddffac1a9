"""Taking out of a vendor's words what is no business of the caller's."""

import re
from collections.abc import Iterable

LONGEST_MESSAGE = 2_000

_KEY = "[key]"
_ADDRESS = "[address]"
_NAME = "[removed]"

_DOMAIN_ENDINGS = (
    "com|net|org|io|ai|dev|app|cloud|cn|co|us|eu|de|uk|fr|jp|kr|sg|hk|ru|tech|xyz|info|test|example"
    "|local|localdomain|internal|intranet|lan|svc|cluster"
)

_REST = r"(?::\d{1,5})?(?:/[^\s\"'<>)\]},;]*)?"  # port and path
_GROUPS = r"(?:[0-9a-f]{1,4}:)"
_IPV6 = rf"{_GROUPS}{{4,7}}[0-9a-f]{{1,4}}|{_GROUPS}{{0,6}}:{_GROUPS}{{0,6}}[0-9a-f]{{1,4}}"

# Where a name begins, once for all its parts: what is tried from each of them takes for ever.
_HOST = r"(?<![\w-])(?<![\w-]\.)"
_SERVICE = r"(?<![\w-])[-_]*(?:\d[a-z0-9]*[-_]+)*[a-z][a-z0-9]*(?:[-_]+[a-z0-9]+)+"

# In this order: an address may hold a key, a key never holds an address.
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b[a-z][a-z0-9+.-]{1,15}://[^\s\"'<>)\]}]+", re.IGNORECASE), _ADDRESS),
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=*-]{6,}", re.IGNORECASE), _KEY),
    (re.compile(r"\b(?:sk|pk|rk|ak|xai|gsk|hf|r8|key|api)[-_][\w*.…-]{6,}"), _KEY),
    (re.compile(r"\b(?:AIza|AKIA|ASIA|eyJ|ya29\.)[\w.*-]{10,}"), _KEY),
    (re.compile(r"\b(?:org|proj|acct)[-_][\w*-]{5,}"), _NAME),
    (re.compile(r"(?<![\w-])[0-9a-fA-F]{32,}(?![\w-])"), _KEY),
    (re.compile(rf"{_HOST}(?:[\w-]+\.)+(?:{_DOMAIN_ENDINGS})\b{_REST}", re.IGNORECASE), _ADDRESS),
    (re.compile(rf"\blocalhost\b{_REST}", re.IGNORECASE), _ADDRESS),
    (re.compile(rf"(?<![\w.])(?:\d{{1,3}}\.){{3}}\d{{1,3}}(?![\w]|\.\d){_REST}"), _ADDRESS),
    (re.compile(rf"\[?(?<![\w:])(?:{_IPV6})(?![\w:])\]?{_REST}", re.IGNORECASE), _ADDRESS),
    (
        re.compile(rf"{_SERVICE}:\d{{2,5}}\b{_REST}", re.IGNORECASE),
        _ADDRESS,
    ),
)
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]+")


def clean(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without addresses, hosts, keys, and without ``secrets`` (whatever their case)."""
    text = _UNPRINTABLE.sub(" ", text[: 2 * LONGEST_MESSAGE])
    known = sorted((secret for secret in secrets if secret), key=len, reverse=True)
    if known:
        text = re.sub("|".join(map(re.escape, known)), _NAME, text, flags=re.IGNORECASE)
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text[:LONGEST_MESSAGE].strip()
