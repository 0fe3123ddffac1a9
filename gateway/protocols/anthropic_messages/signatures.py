"""Signatures of thinking blocks whose thoughts came without one, and the form of tool ids.

The dialect demands a signature on every thinking block. Ours says nothing to anybody: it is
recognised when the block comes back and dropped, so that no vendor is shown it.
"""

import hashlib
import hmac
import re

PREFIX = "sluice-"
# A body that holds this may hold such a signature.
MARK = b'"' + PREFIX.encode()

# Not a secret: it only keeps these signatures apart from those of other uses of the hash.
_CONTEXT = b"sluice thinking signature 1"

_FORBIDDEN_IN_IDS = re.compile(r"[^a-zA-Z0-9_-]")


class Signer:
    """Signs thoughts that come in pieces."""

    __slots__ = ("_mac",)

    def __init__(self) -> None:
        self._mac = hmac.new(_CONTEXT, digestmod=hashlib.sha256)

    def add(self, text: str) -> None:
        self._mac.update(text.encode("utf-8", "surrogatepass"))

    def signature(self) -> str:
        return PREFIX + self._mac.hexdigest()


def sign(text: str) -> str:
    signer = Signer()
    signer.add(text)
    return signer.signature()


def is_ours(signature: str) -> bool:
    return signature.startswith(PREFIX)


def tool_id(id_: str) -> str:
    """The same id in this dialect's characters: a call and its result stay a pair."""
    return _FORBIDDEN_IN_IDS.sub("_", id_)
