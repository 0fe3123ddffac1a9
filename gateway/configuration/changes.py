"""What one import or command has changed: collected on the way, marked once at the end."""

from dataclasses import dataclass, field
from enum import StrEnum

from gateway import db, ledger
from gateway.db import Session


class Outcome(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Entry:
    """What happened to one object."""

    kind: str
    name: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A generated API key; the only time that it is handed out unasked."""

    id: str
    user: str
    name: str
    key: str


@dataclass(frozen=True, slots=True)
class Report:
    """The objects of an import in the order they were applied."""

    entries: tuple[Entry, ...]
    keys: tuple[CreatedKey, ...]

    def count(self, outcome: Outcome) -> int:
        return sum(entry.outcome is outcome for entry in self.entries)


@dataclass(slots=True)
class Changes:
    """Revisions move once per transaction, in one order, however many objects changed."""

    entries: list[Entry] = field(default_factory=list)
    keys: list[CreatedKey] = field(default_factory=list)
    users: set[str] = field(default_factory=set)
    policies: set[str] = field(default_factory=set)
    allowances: set[str] = field(default_factory=set)
    catalog: bool = False

    def record(self, kind: str, name: str, outcome: Outcome) -> bool:
        """Note what happened; tells whether anything did."""
        self.entries.append(Entry(kind, name, outcome))
        return outcome is not Outcome.UNCHANGED

    def catalog_object(self, kind: str, name: str, outcome: Outcome) -> None:
        if self.record(kind, name, outcome):
            self.catalog = True

    def mark(self, session: Session, reason: str) -> None:
        """Tell every process; in a fixed order, so that two commands cannot deadlock."""
        session.flush()
        if self.catalog:
            db.mark_changed(session, db.CATALOG)
        for policy_id in sorted(self.policies):
            db.mark_changed(session, db.POLICY, policy_id)
        for user_id in sorted(self.users | self.allowances):
            if user_id in self.allowances:
                ledger.reload_allowances(session, [user_id], reason)
            else:
                db.mark_changed(session, db.USER, user_id)

    def report(self) -> Report:
        return Report(tuple(self.entries), tuple(self.keys))
