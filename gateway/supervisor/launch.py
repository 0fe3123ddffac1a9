"""Become a command that ends with its parent: ``python -I -S launch.py PARENT COMMAND…``.

A program of its own, because what runs between fork and exec in a process with threads
may dead-lock. Process id and death signal survive the exec.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    # It may have died before we asked.
    if os.getppid() != parent:
        sys.exit(1)
    # Python ignores these for itself, and an ignored signal stays ignored after exec.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    os.execvp(command[0], command)  # noqa: S606  # replacing ourselves is the purpose


if __name__ == "__main__":
    main()
