"""Holds and limits: one Redis round trip decides whether and where a call may go."""

from gateway.admission.admission import (
    Admission,
    Condition,
    Grant,
    QuotaShortError,
    Shut,
    StaleSnapshotError,
)
from gateway.admission.allowances import AllowanceBase, get_allowance_base
from gateway.admission.gate import Gate, GateClosedError, run_of
from gateway.admission.holds import OpenHolds
from gateway.admission.limits import window_limits
from gateway.admission.operations import (
    Admit,
    Check,
    Choice,
    Meter,
    Pick,
    Report,
    Settle,
)
from gateway.admission.script import announce, announcer, run, sweep, trim

__all__ = [
    "Admission",
    "Admit",
    "AllowanceBase",
    "Check",
    "Choice",
    "Condition",
    "Gate",
    "GateClosedError",
    "Grant",
    "Meter",
    "OpenHolds",
    "Pick",
    "QuotaShortError",
    "Report",
    "Settle",
    "Shut",
    "StaleSnapshotError",
    "announce",
    "announcer",
    "get_allowance_base",
    "run",
    "run_of",
    "sweep",
    "trim",
    "window_limits",
]
