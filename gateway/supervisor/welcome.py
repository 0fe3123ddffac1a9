"""What a newcomer is told once everything runs, on the console and in a file."""

import json
import shlex
from typing import Any

from gateway.configuration.quickstart import Quickstart
from gateway.supervisor.memory import write_private
from gateway.supervisor.stack import Stack


def curl(base_url: str, api_key: str, model: str) -> str:
    """A line that works as printed, in any POSIX shell."""
    body = {"model": model, "messages": [{"role": "user", "content": "Say hello"}]}
    words = ["curl", "-sS", f"{base_url}/v1/chat/completions"]
    words += ["-H", f"Authorization: Bearer {api_key}", "-H", "Content-Type: application/json"]
    return shlex.join([*words, "-d", json.dumps(body)])


def facts(stack: Stack, quickstart: Quickstart) -> dict[str, Any]:
    return {
        "base_url": stack.base_url,
        "api_key": quickstart.api_key,
        "model": quickstart.model,
        "admin": {"email": quickstart.admin_email, "password": quickstart.admin_password},
        "flower_url": stack.flower_url,
        "flower_user": stack.memory.flower_user,
        "flower_password": stack.memory.flower_password,
    }


def write(stack: Stack, quickstart: Quickstart) -> None:
    write_private(stack.state_dir / "quickstart.json", facts(stack, quickstart))


def text(stack: Stack, quickstart: Quickstart, *, simulated: bool) -> str:
    source = "simulated; set OPENAI_API_KEY or ANTHROPIC_API_KEY for a real one"
    rows = {
        "Base URL": stack.base_url,
        "Model": f"{quickstart.model} ({source})" if simulated else quickstart.model,
        "API key": quickstart.api_key,
        "Admin": f"{quickstart.admin_email}  {_shown(quickstart.admin_password)}",
        "Flower": f"{stack.flower_url}  user {stack.memory.flower_user}"
        f"  password {stack.memory.flower_password}",
        "State": f"{stack.state_dir} (logs in log/, these facts in quickstart.json)",
    }
    table = "\n".join(f"  {name:<10}{value}" for name, value in rows.items())
    example = curl(stack.base_url, quickstart.api_key, quickstart.model)
    return f"\nSluice is running.\n\n{table}\n\nTry it:\n\n{example}\n\nCtrl-C stops everything.\n"


def _shown(password: str | None) -> str:
    return f"password {password}" if password else "with the password that was set since"
