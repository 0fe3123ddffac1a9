"""Files and functions stay small enough to be read."""

import pytest

from tests.architecture.sources import PRODUCT, ROOT, Source, python_files

FILE_LINES = 300
FUNCTION_LINES = 40
TEST_FILE_LINES = 500

# Path, or path:function → why it may be longer. What is not longer any more must go.
EXCEPTIONS: dict[str, str] = {
    "models/migrations/versions/0001_the_first_tables.py": "every first table, once; never edited",
    "models/migrations/versions/0001_the_first_tables.py:upgrade": "one statement per table",
    "models/migrations/versions/0001_the_first_tables.py:downgrade": "one statement per table",
}


def _too_long(source: Source) -> list[str]:
    lines = source.text.count("\n")
    found = []
    if lines > (TEST_FILE_LINES if source.is_test else FILE_LINES):
        found.append(source.path)
    if source.is_test:
        return found
    for name, function in source.functions():
        assert function.end_lineno is not None
        if function.end_lineno - function.lineno + 1 > FUNCTION_LINES:
            found.append(f"{source.path}:{name}")
    return found


def test_no_file_and_no_function_is_longer_than_its_budget() -> None:
    found = [name for source in python_files(*PRODUCT, "tests") for name in _too_long(source)]
    assert sorted(set(found) - set(EXCEPTIONS)) == []


def test_every_exception_is_still_needed() -> None:
    found = {name for source in python_files(*PRODUCT) for name in _too_long(source)}
    assert set(EXCEPTIONS) <= found


@pytest.mark.parametrize("path", sorted((ROOT / "gateway").rglob("*.lua")), ids=lambda p: p.name)
def test_no_script_is_longer_than_a_module_may_be(path: object) -> None:
    assert (ROOT / str(path)).read_text().count("\n") <= FILE_LINES
