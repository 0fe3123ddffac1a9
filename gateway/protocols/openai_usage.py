"""Usage as the OpenAI dialects report it, to and from quantities that do not overlap.

On the wire ``prompt_tokens`` includes cached tokens, cache writes and audio, and
``completion_tokens`` includes reasoning and audio. Here nothing includes anything.
"""

from typing import Any

from gateway.protocols.canonical import PROMPT_DIMENSIONS, Usage, count


def read(wire: object) -> Usage | None:
    """Usage as some server wrote it; None where it says nothing. Odd values count as 0."""
    if not isinstance(wire, dict):
        return None
    prompt = _number(wire, "prompt_tokens", "input_tokens")
    completion = _number(wire, "completion_tokens", "output_tokens")
    if not prompt and not completion:
        return _quantities(0, 0, {}) if wire.get("prompt_tokens") == 0 else None
    details = _details(wire, "prompt_tokens_details", "input_tokens_details")
    parts = {
        "cached_input": _number(details, "cached_tokens")
        or _number(wire, "prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens"),
        "cache_write": _number(details, "cache_write_tokens", "cache_creation_tokens")
        or _number(wire, "cache_creation_input_tokens"),
        "audio_input": _number(details, "audio_tokens"),
    }
    details = _details(wire, "completion_tokens_details", "output_tokens_details")
    parts["reasoning"] = reasoning = _number(details, "reasoning_tokens")
    parts["audio_output"] = _number(details, "audio_tokens")
    if reasoning and _is_beside(reasoning, prompt, completion, _number(wire, "total_tokens")):
        completion += reasoning
    return _quantities(prompt, completion, parts)


def write(usage: Usage) -> dict[str, Any]:
    """As OpenAI writes it, with its sums."""
    prompt = count(usage, *PROMPT_DIMENSIONS)
    completion = count(usage, "output", "reasoning", "audio_output")
    details = {
        "cached_tokens": count(usage, "cached_input"),
        "audio_tokens": count(usage, "audio_input"),
    }
    if written := count(usage, "cache_write"):
        details["cache_write_tokens"] = written
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": details,
        "completion_tokens_details": {
            "reasoning_tokens": count(usage, "reasoning"),
            "audio_tokens": count(usage, "audio_output"),
        },
    }


def _quantities(prompt: int, completion: int, parts: dict[str, int]) -> Usage:
    """The wholes less their parts; a part that is larger than its whole leaves nothing of it."""
    of_prompt = sum(parts.get(name, 0) for name in PROMPT_DIMENSIONS)
    of_completion = sum(parts.values()) - of_prompt
    usage = [
        ("input", "", max(0, prompt - of_prompt)),
        ("output", "", max(0, completion - of_completion)),
    ]
    usage += [(name, "", quantity) for name, quantity in parts.items() if quantity]
    return usage


def _is_beside(reasoning: int, prompt: int, completion: int, total: int) -> bool:
    """Some servers count reasoning beside the completion, not in it; the total gives it away."""
    return reasoning > completion or total == prompt + completion + reasoning


def _details(wire: dict[str, Any], *names: str) -> dict[str, Any]:
    return next((wire[name] for name in names if isinstance(wire.get(name), dict)), {})


def _number(wire: dict[str, Any], *names: str) -> int:
    for name in names:
        value = wire.get(name)
        if isinstance(value, int | float) and 0 < value < float("inf"):
            return int(value)
    return 0
