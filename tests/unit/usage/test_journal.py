"""The journal as files: what is written stays, what is torn is left out, what is dead is found."""

import os
from pathlib import Path

import pytest

from gateway.settings import JournalSettings
from gateway.usage import Journal
from gateway.usage.journal import JournalFullError

SETTINGS = JournalSettings(segment_bytes=100, max_bytes=1_000, roll_seconds=0)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path, "me", SETTINGS)


def lines(journal: Journal) -> list[bytes]:
    return [line for segment in journal.segments() for line in segment.lines()]


def test_lines_come_back_in_order_over_many_segments(journal: Journal) -> None:
    given = [b"line %03d" % number for number in range(50)]
    for line in given:
        journal.append(line)
    assert lines(journal) == given
    assert len(journal.closed_segments()) > 3


def test_the_torn_end_of_a_crash_is_left_out(journal: Journal) -> None:
    segment = journal.append(b"whole")
    os.write(segment.descriptor, b"to")
    assert lines(journal) == [b"whole"]


def test_a_line_that_was_cut_by_a_full_disk_leaves_no_trace(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.append(b"first")
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
        with pytest.raises(JournalFullError):
            journal.append(b"second")
    journal.append(b"third")
    assert lines(journal) == [b"first", b"third"]


def test_a_living_process_keeps_its_journal_and_a_dead_one_is_inherited(tmp_path: Path) -> None:
    owner, heir = Journal(tmp_path, "owner", SETTINGS), Journal(tmp_path, "heir", SETTINGS)
    owner.append(b"settlement")
    assert heir.adopt() == []
    owner.close()
    [segment] = heir.adopt()
    assert segment.needs_replay
    assert list(segment.lines()) == [b"settlement"]
    assert heir.adopt() == []
    assert Journal(tmp_path, "third", SETTINGS).adopt() == []


def test_a_segment_that_another_has_just_removed_is_not_inherited(tmp_path: Path) -> None:
    owner = Journal(tmp_path, "owner", SETTINGS)
    owner.append(b"settlement")
    owner.close()
    first, second = Journal(tmp_path, "first", SETTINGS), Journal(tmp_path, "second", SETTINGS)
    [segment] = first.adopt()
    first.remove(segment)
    assert second.adopt() == []
    assert list(tmp_path.iterdir()) == []


def test_a_new_segment_is_never_seen_without_its_lock(tmp_path: Path) -> None:
    owner, other = Journal(tmp_path, "owner", SETTINGS), Journal(tmp_path, "other", SETTINGS)
    for number in range(200):
        owner.append(b"line %d" % number)
        assert other.adopt() == []


def test_beyond_its_bound_there_is_no_room_until_something_is_removed(journal: Journal) -> None:
    for _ in range(200):
        journal.append(b"0123456789")
    with pytest.raises(JournalFullError):
        journal.check_room()
    for segment in journal.segments():
        journal.remove(segment)
    journal.check_room()


def test_an_unwritable_folder_is_no_crash(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    journal = Journal(folder, "me", SETTINGS)
    folder.rmdir()
    with pytest.raises(JournalFullError):
        journal.append(b"line")
    folder.mkdir()
    journal.append(b"line")
    assert lines(journal) == [b"line"]


def test_syncing_is_harmless_whatever_has_become_of_the_file(journal: Journal) -> None:
    journal.sync()
    segment = journal.append(b"line")
    journal.sync()
    os.close(segment.descriptor)
    journal.sync()
