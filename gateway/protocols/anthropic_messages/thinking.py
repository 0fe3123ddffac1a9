"""How much may be thought: a budget of tokens that counts as output."""

import msgspec

from gateway.protocols.canonical import Call, Thinking, ThinkingMode

NO_THINKING = frozenset(("none", "minimal"))
BUDGETS = {"low": 2048, "medium": 8192, "high": 16384, "xhigh": 16384, "max": 16384}
USUAL_BUDGET_TOKENS = 8192
LEAST_BUDGET_TOKENS = 1024


def budget_of(thinking: Thinking | None) -> int:
    """The tokens that an upstream of this dialect would be allowed to think; 0 for none."""
    if thinking is None or thinking.mode is not ThinkingMode.ENABLED:
        return 0
    if thinking.effort in NO_THINKING:
        return 0
    budget = thinking.budget_tokens or BUDGETS.get(thinking.effort or "", USUAL_BUDGET_TOKENS)
    return max(budget, LEAST_BUDGET_TOKENS)


def with_budget(asked: int, budget: int) -> int:
    """An answer as long as was asked for must fit in beside the thoughts."""
    return asked if asked > budget else budget + asked


def bounded(call: Call, most: int | None) -> Call:
    """The request such that thoughts and answer together are no longer than ``most``."""
    if most is None:
        return call
    budget = budget_of(call.thinking)
    if budget >= most:
        call, budget = msgspec.structs.replace(call, thinking=None), 0
    asked = min(call.max_output_tokens or most, most)
    if asked <= budget:
        asked = min(asked, most - budget)
    return msgspec.structs.replace(call, max_output_tokens=asked)
