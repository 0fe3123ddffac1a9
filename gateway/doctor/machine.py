"""The machine: the state directory, its secrets, disk space and journals left behind."""

import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from gateway.crypto import KEY_FILE
from gateway.db import normalise_url
from gateway.doctor.findings import Finding, Level
from gateway.settings import Settings

SUBJECT = "state directory"
JOURNALS = "*.journal"
LEAST_FREE_BYTES = 100 * 1024 * 1024
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def check_machine(settings: Settings) -> list[Finding]:
    folder = settings.state_dir.resolve()
    if not folder.is_dir():
        advice = "run `sluice up` or `sluice migrate`, or set SLUICE_STATE_DIR"
        return [Finding(Level.ERROR, SUBJECT, f"{folder} does not exist", advice)]
    if not os.access(folder, os.W_OK | os.X_OK):
        advice = "give it to the user that runs Sluice, or set SLUICE_STATE_DIR"
        return [Finding(Level.ERROR, SUBJECT, f"{folder} is not writable", advice)]
    return [
        *_mode(folder),
        *_secret_key(settings, folder / KEY_FILE),
        *_disk(settings, folder),
        *_journals(settings.journal_dir),
    ]


def _mode(folder: Path) -> Iterator[Finding]:
    if folder.stat().st_mode & stat.S_IWOTH:
        advice = f"chmod o-w {folder}"
        yield Finding(Level.WARN, SUBJECT, f"everybody may write to {folder}", advice)
    else:
        yield Finding(Level.OK, SUBJECT, f"{folder} is writable")


def _secret_key(settings: Settings, path: Path) -> Iterator[Finding]:
    if settings.secret_key.get_secret_value():
        yield Finding(Level.OK, "secret key", "SLUICE_SECRET_KEY is set")
    elif path.exists() and path.stat().st_mode & OTHERS:
        message = f"{path} can be read by other users of this machine"
        yield Finding(Level.ERROR, "secret key", message, f"chmod 600 {path}")
    else:
        yield _generated_key(settings, path)


def _generated_key(settings: Settings, path: Path) -> Finding:
    if normalise_url(settings.resolved_database_url).get_backend_name() == "postgresql":
        message = "the secrets in a shared database are sealed with a file on this machine"
        return Finding(Level.WARN, "secret key", message, "set SLUICE_SECRET_KEY on every machine")
    if not path.exists():
        return Finding(Level.OK, "secret key", f"there is none yet; the first use makes {path}")
    return Finding(Level.OK, "secret key", f"generated in {path}; back it up")


def _disk(settings: Settings, folder: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    message = f"{free // 1024**2} MiB free"
    if free < LEAST_FREE_BYTES:
        yield Finding(Level.ERROR, "disk space", message, "make room, or calls will be refused")
    elif free < settings.journal.max_bytes:
        advice = "journals may grow to SLUICE_JOURNAL__MAX_BYTES"
        yield Finding(Level.WARN, "disk space", message, advice)
    else:
        yield Finding(Level.OK, "disk space", message)


def _journals(folder: Path) -> Iterator[Finding]:
    """A living process holds a lock on each of its files."""
    left = [path for path in folder.glob(JOURNALS) if path.stat().st_size and _is_unlocked(path)]
    if left:
        segments = "1 segment" if len(left) == 1 else f"{len(left)} segments"
        message = f"{segments} of processes that are gone, not in the ledger yet"
        advice = "start the API: it takes them over"
        yield Finding(Level.WARN, "journals", message, advice)
    else:
        yield Finding(Level.OK, "journals", "nothing was left behind")


def _is_unlocked(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except FileNotFoundError:  # drained at this moment
        return False
    return True
