"""Asks the simulator as a client of Midjourney-proxy would."""

import time
from typing import Any

import httpx

from tests.upstream.client import Simulator

KEY = {"mj-api-secret": "secret"}


def post(upstream: Simulator, path: str, /, **body: Any) -> httpx.Response:  # noqa: ANN401
    url = f"{upstream.midjourney_url}/{path}"
    return httpx.post(url, json=body, headers=KEY, timeout=5, trust_env=False)


def get(upstream: Simulator, path: str) -> Any:  # noqa: ANN401
    url = f"{upstream.midjourney_url}/{path}"
    return httpx.get(url, headers=KEY, timeout=5, trust_env=False).json()


def submit(upstream: Simulator, action: str, /, **body: Any) -> str:  # noqa: ANN401
    answer = post(upstream, f"submit/{action}", **body).json()
    assert answer["code"] == 1, answer
    task_id: str = answer["result"]
    return task_id


def imagine(upstream: Simulator, prompt: str = "a cat --sim:work0", **body: Any) -> str:  # noqa: ANN401
    return submit(upstream, "imagine", prompt=prompt, **body)


def fetch(upstream: Simulator, task_id: str) -> dict[str, Any]:
    task: dict[str, Any] = get(upstream, f"task/{task_id}/fetch")
    return task


def wait_for(upstream: Simulator, task_id: str, *states: str) -> dict[str, Any]:
    deadline = time.monotonic() + 5
    while (task := fetch(upstream, task_id))["status"] not in states:
        assert time.monotonic() < deadline, task
        time.sleep(0.01)
    return task
