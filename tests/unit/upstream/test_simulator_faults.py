"""The suffixes of model names."""

import pytest

from tests.upstream.faults import (
    FLAGS,
    MACROS,
    NO_FAULT,
    NUMBERED,
    Fault,
    UnknownSuffixError,
    parse_model,
    parse_spec,
)


@pytest.mark.parametrize(
    ("suffix", "field", "value"),
    [
        ("n100", "pieces", 100),
        ("s16", "piece_bytes", 16),
        ("r3", "reasoning", 3),
        ("t200", "first_byte_ms", 200),
        ("h20", "first_event_ms", 20),
        ("d10", "gap_ms", 10),
        ("b4", "batch", 4),
        ("u7", "completion_tokens", 7),
        ("p8", "prompt_tokens", 8),
        ("ca9", "cached_tokens", 9),
        ("cw4", "cache_write_tokens", 4),
        ("e503", "status", 503),
        ("ra3", "retry_after", 3),
        ("k0", "reset_after", 0),
        ("c5", "close_after", 5),
        ("q5", "quiet_after", 5),
        ("j2", "garbage_at", 2),
        ("err2", "error_after", 2),
        ("midfinish3", "end_after", 3),
        ("x2", "times", 2),
        ("work50", "work_ms", 50),
        ("poll7", "poll_after_ms", 7),
        ("fail40", "fail_at", 40),
        ("urlhuge3", "result_mib", 3),
    ],
)
def test_numbered_suffix(suffix: str, field: str, value: int) -> None:
    assert getattr(parse_model(f"demo-chat-{suffix}"), field) == value
    assert parse_spec(suffix).describe() == suffix


@pytest.mark.parametrize("flag", sorted(FLAGS))
def test_flag(flag: str) -> None:
    assert parse_model(f"demo-{flag}") == Fault(flags=frozenset({flag}))
    assert parse_model(f"demo-{flag}x2") == Fault(flags=frozenset({flag}), times=2)


def test_a_healed_work_keeps_its_pace_and_its_idempotency() -> None:
    fault = parse_spec("work5-idem-lost-fail40-urlgone-gateg.accepted")
    assert fault.healed().describe() == "work5-idem-gateg.accepted"


def test_suffixes_combine_in_any_order() -> None:
    fault = parse_model("demo-chat-n100-d10-crlf-t200-k5")
    assert fault == parse_model("demo-k5-t200-n100-crlf-d10")
    assert fault.describe() == "n100-t200-d10-k5-crlf"


@pytest.mark.parametrize(
    "name", ["demo-chat", "gpt-4o-mini", "gpt-4o-2024-08-06", "e500", "hang", "demo-k5-typo9", ""]
)
def test_names_without_suffixes_at_the_end_are_harmless(name: str) -> None:
    assert parse_model(name) == NO_FAULT


def test_a_reasoner_reasons_by_its_name() -> None:
    assert parse_model("demo-reasoner").reasoning == 8
    assert parse_model("demo-chat-reasoning-n3").reasoning == 8
    assert parse_model("demo-reasoner-r2").reasoning == 2


def test_failures_glued_to_a_count_heal_but_shape_stays() -> None:
    fault = parse_model("demo-n5-d1-crlf-e503x2")
    assert (fault.status, fault.times) == (503, 2)
    assert fault.healed() == parse_model("demo-n5-d1-crlf")


@pytest.mark.parametrize(
    ("suffix", "gate"),
    [
        ("gatea", ("a", "head")),
        ("gatea.0", ("a", "0")),
        ("gatemy_gate.finish", ("my_gate", "finish")),
        ("gatea.end", ("a", "end")),
    ],
)
def test_gate(suffix: str, gate: tuple[str, str]) -> None:
    assert parse_model(f"demo-{suffix}").gates == (gate,)


def test_several_gates() -> None:
    gates = parse_model("demo-gatea.1-gateb.done").gates
    assert sorted(gates) == [("a", "1"), ("b", "done")]


@pytest.mark.parametrize(
    "spec", ["", "nonsense", "e42", "e600", "b0", "z5", "e500-oops", "gatea.x"]
)
def test_control_refuses_what_is_not_in_the_table(spec: str) -> None:
    with pytest.raises(UnknownSuffixError):
        parse_spec(spec)


def test_a_fault_set_by_control_wins_over_the_name() -> None:
    both = parse_spec("e500-hang").over(parse_model("demo-n5-e429-crlf"))
    assert both.describe() == "n5-e500-crlf-hang"


def test_every_suffix_is_in_the_documented_table() -> None:
    from tests.upstream import faults  # noqa: PLC0415 - only for its docstring

    words = (faults.__doc__ or "").split()
    starts = {"n": "nN", "s": "sBYTES", "e": "eSTATUS", "ra": "raSECONDS"}
    starts |= {"t": "tMS", "h": "hMS", "d": "dMS", "x": "xK"}
    expected = {starts.get(name, f"{name}N") for name in NUMBERED} - {"midfinishN"}
    assert (expected | FLAGS) <= set(words)
    assert all(any(name in word for word in words) for name in MACROS)
