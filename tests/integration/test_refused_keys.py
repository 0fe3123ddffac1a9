"""A key of ours that its vendor refuses is marked for the operator, until it works again."""

from collections.abc import Generator
from pathlib import Path

import openai
import pytest
from sqlalchemy import select

from gateway.usage.refused_keys import MARK
from models import ProviderKey
from tests.stack import Stack
from tests.stack.isolated import add_isolated_models
from tests.stack.of_module import stack_of_module


@pytest.fixture(scope="module")
def stack(sqlite_template: Path) -> Generator[Stack]:
    with stack_of_module(sqlite_template) as running:
        yield running


def reasons(stack: Stack) -> list[str | None]:
    with stack.database.snapshot() as session:
        return list(session.scalars(select(ProviderKey.status_reason)))


def test_a_refused_key_is_marked_and_a_good_answer_takes_the_mark_away(stack: Stack) -> None:
    add_isolated_models(stack, {"locked": "sim-chat-e401x1"})
    before = len(stack.requests())
    with stack.openai() as client:
        with pytest.raises(openai.InternalServerError) as failed:
            client.chat.completions.create(
                model="locked", messages=[{"role": "user", "content": "hi"}]
            )
        assert failed.value.status_code == 502
        stack.wait_settled(before + 1)
        assert f"{MARK}401" in reasons(stack)
        with stack.redis.client() as redis:
            redis.delete("sluice:1:health")  # the minute for which the key cools down
        client.chat.completions.create(model="locked", messages=[{"role": "user", "content": "hi"}])
    stack.wait_settled(before + 2)
    assert set(reasons(stack)) == {None}
