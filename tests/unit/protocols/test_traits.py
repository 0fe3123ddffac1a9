"""What a server wants differently, said by model, backend and link."""

from typing import Any

import msgspec
import pytest

from gateway.protocols.traits import NO_TRAITS, Traits, traits_of


def test_nothing_said_is_what_most_servers_want() -> None:
    assert traits_of() == traits_of({}, {}) == NO_TRAITS == Traits()


def test_later_layers_win_and_leave_the_rest() -> None:
    model = {"output_field": "max_completion_tokens", "thinking": "fixed", "think_tags": True}
    found = traits_of(model, {"think_tags": False}, {"prefix": "flag"})
    assert found == Traits(output_field="max_completion_tokens", thinking="fixed", prefix="flag")


def test_what_is_no_trait_is_somebody_elses() -> None:
    assert traits_of({"vision": True, "tools": ["a"], "rescue": "align"}) == Traits(rescue="align")


@pytest.mark.parametrize(
    "layer",
    [
        {"output_field": "length"},
        {"thinking": "hard"},
        {"prefix": "yes"},
        {"rescue": "maybe"},
        {"stream_buffer": "half"},
        {"think_tags": "yes"},
        {"max_output_default": "many"},
    ],
)
def test_a_trait_that_makes_no_sense_is_refused(layer: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError, match=next(iter(layer))):
        traits_of(layer)
