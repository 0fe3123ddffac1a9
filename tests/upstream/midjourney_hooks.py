"""Calls a task's notifyHook on each change, or as wrongly as the fault says."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import aiohttp
import msgspec

from tests.upstream.midjourney_tasks import describe
from tests.upstream.works import Work, Works

LOOK_SECONDS = 0.01
STEP_PERCENT = 25
PATIENCE = aiohttp.ClientTimeout(total=5)


async def notify(works: Works, work: Work, url: str) -> None:
    """Until the task is finished. What cannot be delivered is not sent again."""
    flags = work.fault.flags
    if "hooknever" in flags or work.is_lost:
        return
    async with (
        aiohttp.ClientSession(timeout=PATIENCE) as session,
        aclosing(_changes(works, work)) as changes,
    ):
        held: list[dict[str, Any]] = []
        async for task in changes:
            if "hookmixed" in flags:
                held.insert(0, task)
            else:
                await _send(session, work, url, task)
        for task in held:
            await _send(session, work, url, task)


async def _changes(works: Works, work: Work) -> AsyncGenerator[dict[str, Any], None]:
    before: object = None
    while True:
        standing = works.standing(work)
        task = describe(work, standing)
        now = (task["status"], standing.progress // STEP_PERCENT)
        if now != before:
            before = now
            if standing.is_final:
                await _wait_until_due(work)
            yield task
        if standing.is_final:
            return
        await asyncio.sleep(LOOK_SECONDS)


async def _wait_until_due(work: Work) -> None:
    # Looking is enough here: works are reckoned when asked and have no events.
    while "hooklate" in work.fault.flags and not work.fetched_as_finished:  # noqa: ASYNC110
        await asyncio.sleep(LOOK_SECONDS)


async def _send(session: aiohttp.ClientSession, work: Work, url: str, task: dict[str, Any]) -> None:
    for _ in range(2 if "hooktwice" in work.fault.flags else 1):
        told: dict[str, Any] = {"status": task["status"], "progress": task["progress"]}
        work.callbacks.append(told)
        told["answer"] = await _post(session, url, msgspec.json.encode(task))


async def _post(session: aiohttp.ClientSession, url: str, body: bytes) -> int | str:
    """The status of the answer, or the name of what went wrong."""
    headers = {"Content-Type": "application/json"}
    try:
        async with session.post(url, data=body, headers=headers) as response:
            return response.status
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return type(error).__name__
