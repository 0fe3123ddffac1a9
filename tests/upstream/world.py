"""All that a running simulator remembers and can be told from outside."""

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from tests.upstream.faults import Fault, parse_model, parse_spec
from tests.upstream.gates import Gates
from tests.upstream.journal import Journal
from tests.upstream.works import Works


@dataclass(slots=True)
class Rule:
    """A fault that was set by a control request instead of a model's name."""

    number: int
    model: str
    fault: Fault
    times: int | None = None
    path: str | None = None
    key: str | None = None
    used: int = 0

    def matches(self, model: str, path: str, key: str | None) -> bool:
        if self.times is not None and self.used >= self.times:
            return False
        if self.key is not None and self.key != key:
            return False
        fits_path = self.path is None or path.endswith(self.path) or fnmatchcase(path, self.path)
        return fits_path and fnmatchcase(model, self.model)

    def snapshot(self) -> dict[str, Any]:
        left = None if self.times is None else max(0, self.times - self.used)
        return {
            "id": self.number,
            "model": self.model,
            "fault": self.fault.describe(),
            "times": self.times,
            "left": left,
            "used": self.used,
            "path": self.path,
            "key": self.key,
        }


@dataclass(slots=True)
class World:
    journal: Journal = field(default_factory=Journal)
    gates: Gates = field(default_factory=Gates)
    rules: list[Rule] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)
    seen: dict[str, int] = field(default_factory=dict)
    last_number: int = 0
    works: Works = field(init=False)

    def __post_init__(self) -> None:
        self.works = Works(self.gates)

    def add_rule(self, rule: Rule) -> None:
        self.last_number = rule.number
        # Newest first: a later rule overrides an earlier one that matches too.
        self.rules.insert(0, rule)

    def find_fault(self, model: str, path: str, key: str | None, spoken: str = "") -> Fault:
        """What holds for this request; counts it against limited faults."""
        fault = self._limit(parse_model(model), model)
        if spoken:
            fault = self._limit(parse_spec(spoken), f"{model}:{spoken}").over(fault)
        for rule in self.rules:
            if rule.matches(model, path, key):
                rule.used += 1
                return rule.fault.over(fault)
        return fault

    def is_refused_key(self, key: str) -> bool:
        return key == "bad" or key in self.revoked

    def reset(self) -> None:
        self.journal.clear()
        self.works.clear()
        self.gates.reset()
        self.rules.clear()
        self.revoked.clear()
        self.seen.clear()

    def _limit(self, fault: Fault, name: str) -> Fault:
        if fault.times is None:
            return fault
        self.seen[name] = self.seen.get(name, 0) + 1
        if self.seen[name] > fault.times:
            return fault.healed()
        return replace(fault, times=None)
