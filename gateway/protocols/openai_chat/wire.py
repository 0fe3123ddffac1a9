"""OpenAI chat as it stands on the wire: the fields that can be carried into another dialect.

Requests are read strictly, so that a client learns which field is wrong; answers leniently,
because many servers speak this dialect with an accent.
"""

from typing import Annotated, Any

import msgspec

NonEmpty = Annotated[str, msgspec.Meta(min_length=1)]
Positive = Annotated[int, msgspec.Meta(ge=1)]


class TextPart(msgspec.Struct, tag_field="type", tag="text"):
    text: str


class RefusalPart(msgspec.Struct, tag_field="type", tag="refusal"):
    refusal: str


class ImageUrl(msgspec.Struct):
    url: NonEmpty
    detail: str | None = None


class ImagePart(msgspec.Struct, tag_field="type", tag="image_url"):
    image_url: ImageUrl | NonEmpty


class AudioData(msgspec.Struct):
    data: str
    format: str


class AudioPart(msgspec.Struct, tag_field="type", tag="input_audio"):
    input_audio: AudioData


class FileData(msgspec.Struct):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None

    def __post_init__(self) -> None:
        if not self.file_data and not self.file_id:
            raise ValueError("Expected file_data or file_id")


class FilePart(msgspec.Struct, tag_field="type", tag="file"):
    file: FileData


Part = TextPart | ImagePart | AudioPart | FilePart


class Function(msgspec.Struct):
    name: NonEmpty
    arguments: str = ""


class ToolCall(msgspec.Struct):
    id: NonEmpty
    function: Function
    extra_content: dict[str, Any] | None = None


class AudioReference(msgspec.Struct):
    id: str


class SystemMessage(msgspec.Struct, tag_field="role", tag="system"):
    content: str | list[TextPart]
    name: str | None = None


class DeveloperMessage(msgspec.Struct, tag_field="role", tag="developer"):
    content: str | list[TextPart]
    name: str | None = None


class UserMessage(msgspec.Struct, tag_field="role", tag="user"):
    content: str | list[Part]
    name: str | None = None


class AssistantMessage(msgspec.Struct, tag_field="role", tag="assistant"):
    content: str | list[TextPart | RefusalPart] | None = None
    name: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    audio: AudioReference | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: Function | None = None


class ToolMessage(msgspec.Struct, tag_field="role", tag="tool"):
    tool_call_id: NonEmpty
    content: str | list[TextPart | ImagePart]


class FunctionMessage(msgspec.Struct, tag_field="role", tag="function"):
    name: NonEmpty
    content: str | None


Message = (
    SystemMessage
    | DeveloperMessage
    | UserMessage
    | AssistantMessage
    | ToolMessage
    | FunctionMessage
)


class FunctionDefinition(msgspec.Struct):
    name: NonEmpty
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(msgspec.Struct, tag_field="type", tag="function"):
    function: FunctionDefinition


class FunctionName(msgspec.Struct):
    name: NonEmpty


class NamedTool(msgspec.Struct, tag_field="type", tag="function"):
    function: FunctionName


class StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class Schema(msgspec.Struct):
    name: NonEmpty
    description: str | None = None
    json_schema: dict[str, Any] | None = msgspec.field(default=None, name="schema")
    strict: bool | None = None


class PlainText(msgspec.Struct, tag_field="type", tag="text"):
    pass


class JsonObject(msgspec.Struct, tag_field="type", tag="json_object"):
    pass


class JsonSchema(msgspec.Struct, tag_field="type", tag="json_schema"):
    json_schema: Schema


class Request(msgspec.Struct):
    model: NonEmpty
    messages: Annotated[list[Message], msgspec.Meta(min_length=1)]
    tools: list[Tool] | None = None
    tool_choice: NamedTool | str | None = None
    parallel_tool_calls: bool | None = None
    functions: list[FunctionDefinition] | None = None
    function_call: FunctionName | str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Positive | None = None
    max_completion_tokens: Positive | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: str | list[str] | None = None
    n: Positive | None = None
    user: str | None = None
    response_format: PlainText | JsonObject | JsonSchema | None = None
    reasoning_effort: str | None = None


class SaidFunction(msgspec.Struct):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class SaidToolCall(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: SaidFunction | None = None
    extra_content: dict[str, Any] | None = None


class SaidPart(msgspec.Struct):
    text: str | None = None
    refusal: str | None = None


class Said(msgspec.Struct):
    """A message of an answer, or what a chunk adds to it."""

    content: str | list[SaidPart] | None = None
    reasoning_content: str | None = None
    reasoning: Any = None
    refusal: str | None = None
    tool_calls: list[SaidToolCall] | None = None
    function_call: SaidFunction | None = None

    def thoughts(self) -> str:
        if self.reasoning_content:
            return self.reasoning_content
        return self.reasoning if isinstance(self.reasoning, str) else ""

    def text(self) -> str:
        if isinstance(self.content, list):
            return "".join(part.text or "" for part in self.content)
        return self.content or ""

    def refused(self) -> str:
        if not self.refusal and isinstance(self.content, list):
            return "".join(part.refusal or "" for part in self.content)
        return self.refusal or ""

    def calls(self) -> list[SaidToolCall]:
        if self.function_call is not None:
            return [*(self.tool_calls or ()), SaidToolCall(function=self.function_call)]
        return self.tool_calls or []


class Choice(msgspec.Struct):
    index: int | None = None
    message: Said | None = None
    delta: Said | None = None
    finish_reason: str | None = None
    stop_reason: Any = None  # some servers name the stop sequence here


class Reply(msgspec.Struct):
    """An answer or one chunk of it."""

    id: str | int | None = None
    created: int | float | None = None
    model: str | None = None
    choices: list[Choice] | None = None
    usage: Any = None
    error: Any = None
