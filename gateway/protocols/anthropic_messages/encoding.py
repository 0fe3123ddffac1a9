"""Canonical calls written as Anthropic messages requests for an upstream."""

from typing import Any

import msgspec

from gateway.errors import InvalidRequestError
from gateway.protocols.anthropic_messages import turns as conversation
from gateway.protocols.anthropic_messages.thinking import NO_THINKING, budget_of, with_budget
from gateway.protocols.canonical import (
    Call,
    FormatKind,
    Json,
    ResponseFormat,
    Thinking,
    ThinkingMode,
    Tool,
    ToolMode,
)
from gateway.protocols.traits import NO_TRAITS, Traits

_NO_PARAMETERS: Json = {"type": "object", "properties": {}}

_LEAST_TOP_P_WITH_THINKING = 0.95

_CHOICES = {
    ToolMode.AUTO: "auto",
    ToolMode.REQUIRED: "any",
    ToolMode.NAMED: "tool",
    ToolMode.NONE: "none",
}
_FORCED = frozenset({ToolMode.REQUIRED, ToolMode.NAMED})


def encode(call: Call, traits: Traits = NO_TRAITS) -> bytes:
    """The request's body; what other dialects call ``extras`` must not get here."""
    if call.choices > 1:
        raise InvalidRequestError("This model's provider gives one choice per request.", param="n")
    turns = conversation.write(call.messages)
    thinking = _thinking(call.thinking, traits, turns)
    is_thinking = bool(thinking)
    if not is_thinking and traits.thinking != "fixed":
        conversation.without_last_thoughts(turns)
    body: Json = {
        "model": call.model,
        "max_tokens": _max_tokens(call, traits, thinking),
        **_system(call, traits),
        "messages": turns,
        **thinking,
        **_tools(call, traits, is_thinking=is_thinking),
        **_output_config(call, traits),
    }
    if not traits.fixed_sampling:
        body |= _sampling(call, is_thinking=is_thinking)
    if stop := [text for text in call.stop if text.strip()]:
        body["stop_sequences"] = stop
    if call.user is not None:
        body["metadata"] = {"user_id": call.user}
    if call.stream:
        body["stream"] = True
    return msgspec.json.encode(call.extras | body)


def _max_tokens(call: Call, traits: Traits, thinking: Json) -> int:
    """The budget counts as output: an answer as long as was asked for must fit in beside it."""
    asked = call.max_output_tokens or traits.max_output_default
    budget: int = thinking.get("thinking", {}).get("budget_tokens", 0)
    return with_budget(asked, budget)


def _system(call: Call, traits: Traits) -> Json:
    said = conversation.system_of(call.messages)
    wanted = _wanted_format(call.response_format, traits)
    text = "\n".join(part for part in (said, wanted) if part)
    return {"system": text} if text else {}


def _wanted_format(wanted: ResponseFormat | None, traits: Traits) -> str:
    """The format in words, for servers that know no other way."""
    if wanted is None or wanted.kind is FormatKind.TEXT or _has_schema(wanted, traits):
        return ""
    if wanted.json_schema is None:
        return "Answer with one valid JSON object and nothing else: no words, no code fence."
    schema = msgspec.json.encode(wanted.json_schema).decode()
    return (
        "Answer with one valid JSON value and nothing else: no words, no code fence. "
        f"It must match this JSON schema:\n{schema}"
    )


def _has_schema(wanted: ResponseFormat, traits: Traits) -> bool:
    return traits.structured_output and wanted.json_schema is not None


def _output_config(call: Call, traits: Traits) -> Json:
    config: Json = {}
    wanted, thinking = call.response_format, call.thinking
    if wanted is not None and _has_schema(wanted, traits):
        config["format"] = {"type": "json_schema", "schema": wanted.json_schema}
    if thinking is not None and thinking.mode is ThinkingMode.ADAPTIVE and thinking.effort:
        config["effort"] = thinking.effort
    return {"output_config": config} if config else {}


def _thinking(thinking: Thinking | None, traits: Traits, turns: list[Json]) -> Json:
    if thinking is None or traits.thinking == "fixed" or thinking.mode is ThinkingMode.DISABLED:
        return {}
    if thinking.effort in NO_THINKING or not conversation.allow_thinking(turns):
        return {}
    if thinking.mode is ThinkingMode.ADAPTIVE:
        return {"thinking": {"type": "adaptive"}}
    return {"thinking": {"type": "enabled", "budget_tokens": budget_of(thinking)}}


def _sampling(call: Call, *, is_thinking: bool) -> Json:
    sampling = call.sampling
    top_p = sampling.top_p
    if is_thinking:
        keeps_top_p = top_p is not None and top_p >= _LEAST_TOP_P_WITH_THINKING
        return {"top_p": top_p} if keeps_top_p else {}
    temperature = None if sampling.temperature is None else min(sampling.temperature, 1.0)
    return _without_none({"temperature": temperature, "top_p": top_p, "top_k": sampling.top_k})


def _tools(call: Call, traits: Traits, *, is_thinking: bool) -> Json:
    if not call.tools:
        return {}
    fields: Json = {"tools": [_tool(tool, traits) for tool in call.tools]}
    if choice := _tool_choice(call, is_thinking=is_thinking):
        fields["tool_choice"] = choice
    return fields


def _tool(tool: Tool, traits: Traits) -> Json:
    schema = tool.parameters or _NO_PARAMETERS
    fields = {
        "name": tool.name,
        "description": tool.description,
        "input_schema": schema if "type" in schema else {"type": "object", **schema},
        # Refused by models that cannot keep to a schema.
        "strict": True if tool.strict and traits.structured_output else None,
    }
    return _without_none(fields)


def _tool_choice(call: Call, *, is_thinking: bool) -> Json:
    """One call at a time is asked for within the choice, so then there has to be one."""
    mode = call.tool_choice.mode if call.tool_choice else None
    name = call.tool_choice.name if call.tool_choice else None
    is_serial = call.parallel_tool_calls is False and mode is not ToolMode.NONE
    if mode is None and not is_serial:
        return {}
    if mode is None or (is_thinking and mode in _FORCED):
        mode, name = ToolMode.AUTO, None
    return _without_none(
        {
            "type": _CHOICES[mode],
            "name": name,
            "disable_parallel_tool_use": True if is_serial else None,
        }
    )


def _without_none(fields: dict[str, Any]) -> Json:
    return {name: value for name, value in fields.items() if value is not None}
