"""No tracked file names a machine it was written on, or an index that packages came from."""

import re

from tests.architecture.sources import ROOT, repository_files

FORBIDDEN = (
    # Absolute paths of somebody's machine. A temporary folder is asked for, never named.
    re.compile(r"(?<![\w.}>*-])/(?:work|workspace|root|Users|tmp)/\w"),
    re.compile(r"(?<![\w.}>*-])/home/(?!\$)\w"),
    # Lock files hold hashes, so that any index will do; which one is the user's configuration.
    re.compile(r"(?:--(?:extra-)?index-url|--trusted-host|registry=)"),
    re.compile(r"://[^/\s\"'`]*(?:pypi|pythonhosted|npmjs|registry|artifactory|nexus|mirror)"),
)
THIS = "tests/architecture/test_repository_words.py"


def test_no_file_names_a_machine_or_an_index() -> None:
    found = []
    for path in repository_files():
        name = path.relative_to(ROOT).as_posix()
        try:
            lines = path.read_text().splitlines()
        except UnicodeDecodeError:
            continue
        found += [
            f"{name}:{number}"
            for number, line in enumerate(lines, 1)
            if name != THIS and any(pattern.search(line) for pattern in FORBIDDEN)
        ]
    assert found == []
