"""What the adapter reads from an upstream's refusal."""

import pytest

from gateway.errors import Blame
from gateway.providers.openai import OpenAIProvider, retry_after


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        ("0.5", 0.5),
        ("-1", 0.0),
        ("1000000", 3600.0),
        ("inf", None),
        ("1e400", None),
        ("nan", None),
        ("soon", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", None),
    ],
)
def test_how_long_a_vendor_asks_us_to_wait(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}) == seconds


@pytest.mark.parametrize(
    ("status", "body", "blame", "failover"),
    [
        (401, b"{}", Blame.KEY, True),
        (403, b"{}", Blame.KEY, True),
        (429, b"{}", Blame.KEY, True),
        (429, b'{"error":{"code":"insufficient_quota","message":"m"}}', Blame.KEY, True),
        (404, b'{"error":{"code":"model_not_found","message":"m"}}', Blame.MODEL, True),
        (400, b'{"error":{"message":"m"}}', Blame.CALLER, False),
        (422, b'{"error":{"message":"m"}}', Blame.CALLER, False),
        (302, b"", Blame.BACKEND, True),
        (500, b"", Blame.BACKEND, True),
        (503, b"<html>", Blame.BACKEND, True),
    ],
)
def test_whose_fault_a_refusal_is(
    status: int, body: bytes, blame: Blame, *, failover: bool
) -> None:
    error = OpenAIProvider().classify(status, {}, body, "sk-secret")
    assert (error.blame, error.failover) == (blame, failover)
