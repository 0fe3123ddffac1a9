"""Ports of this machine: is one free, and which one may we have."""

import errno
import socket

from gateway.supervisor.problems import StartError


def require_free(host: str, port: int) -> None:
    """Bind for a moment; with SO_REUSEPORT, which the API uses, a taken port would go unseen."""
    if not 1 <= port <= 65535:
        msg = f"port {port} does not exist; choose one from 1 to 65535 (PORT)"
        raise StartError(msg)
    try:
        _bind(host, port)
    except OSError as error:
        reason = "is taken" if error.errno == errno.EADDRINUSE else "cannot be used"
        hint = "choose another one with PORT=…"
        msg = f"port {port} on {host} {reason} ({error.strerror}); {hint}"
        raise StartError(msg) from error


def is_free(port: int) -> bool:
    try:
        _bind("127.0.0.1", port)
    except OSError:
        return False
    return True


def choose() -> int:
    """A port of the loopback interface that nobody listens on now."""
    return _bind("127.0.0.1", 0)


def _bind(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Connections of a stopped server that linger in TIME_WAIT do not matter.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        bound: int = probe.getsockname()[1]
        return bound
