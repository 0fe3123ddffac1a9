"""What a server wants differently from others that speak the same protocol: data of its rows."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec


class Traits(msgspec.Struct, frozen=True):
    """Capabilities of model, backend and link, merged; unknown ones are somebody else's."""

    # The field that bounds the output.
    output_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    # How thinking is asked for: reasoning_effort, thinking.type, enable_thinking, or not at all.
    thinking: Literal["effort", "toggle", "flag", "fixed"] = "effort"
    # Reasoning of earlier turns goes back in the history.
    wants_reasoning_back: bool = False
    # Tool calls carry state that must come back with them, whatever the client drops.
    tool_state: bool = False
    # Reasoning arrives as <think>…</think> at the start of the text.
    think_tags: bool = False
    # Reasoning is shown to clients that did not ask for it.
    thinking_passthrough: bool = True
    # How an answer that breaks off can be continued from its beginning: not at all, by a last
    # assistant message as it is, with "prefix": true on it, or by chat template flags.
    # None: by what the protocol usually does.
    prefix: Literal["none", "message", "flag", "template"] | None = None
    # JSON schemas for answers are understood; otherwise they are asked for in words.
    structured_output: bool = False
    # Temperature and the like are refused.
    fixed_sampling: bool = False
    # A system message that takes the place of the client's, or goes before all others.
    system_prompt: str | None = None
    # System messages are understood; otherwise their text goes before the user's.
    system_role: bool = True
    # Images and documents must be sent along: the server does not fetch addresses.
    inline_media: bool = False
    # Bound on the output where the protocol demands one and the client gave none.
    max_output_default: int = 4096
    # What to do with a stream that breaks off after the client has seen some of it.
    rescue: Literal["auto", "continue", "align", "none"] = "auto"
    # "full": the client gets nothing before the answer is complete, so it can begin anew.
    stream_buffer: Literal["none", "full"] = "none"
    # Long conversations stay with one backend, for the sake of its prompt cache.
    affinity: bool = True

    @property
    def is_preset(self) -> bool:
        """Whether requests are changed before they are sent."""
        return self.system_prompt is not None or not self.system_role

    @property
    def is_written_anew(self) -> bool:
        """Whether a request of the same protocol may have to be written anew."""
        return self.is_preset or self.inline_media or self.tool_state


NO_TRAITS = Traits()


def traits_of(*layers: Mapping[str, Any]) -> Traits:
    """The traits that the layers say together, later ones first; raises ValidationError."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged |= layer
    return msgspec.convert(merged, Traits)
