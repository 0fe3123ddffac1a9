"""The loads: how many connections ask for what, and for how long."""

from dataclasses import dataclass

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"


@dataclass(frozen=True, slots=True)
class Scenario:
    """The model's name carries the behaviour of the upstream, see harness/fakeupstream.c."""

    name: str
    connections: int
    model: str = "fake"
    stream: bool = False
    seconds: float | None = None  # None: as the command line says
    warmup_seconds: float = 1
    ramp_us: int = 200  # between two new connections
    path: str = CHAT
    events: int | None = None  # of an answer; any other number is a broken one


JSON_C1 = Scenario("json-c1", 1)
JSON_C32 = Scenario("json-c32", 32)
STREAM_C32 = Scenario(
    "stream10ms-c32", 32, "fake-c100-d10", stream=True, seconds=5, warmup_seconds=1.5
)
STREAM_C256 = Scenario(
    "stream10ms-c256", 256, "fake-c100-d10", stream=True, seconds=6, warmup_seconds=2.5
)
SLOW_1000 = Scenario(
    name="slow-1000",
    connections=1000,
    model="fake-c600-d1000",
    stream=True,
    seconds=6,
    warmup_seconds=4,
    ramp_us=2000,
)

MODELS = ("fake", "fake-c100", "fake-c100-d10", "fake-c600-d1000")
# Of an upstream that speaks Anthropic's dialect.
MESSAGES_MODELS = ("fake-messages", "fake-messages-c100", "fake-messages-c100-d10")
