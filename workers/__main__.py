"""``python -m workers``: one worker process for one group of queues, or for all of them."""

import os

import click

from gateway import settings
from workers.app import app
from workers.groups import ALL, GROUPS


@click.command()
@click.option("--group", type=click.Choice(sorted(GROUPS)), default=ALL, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), help="How many tasks run at once.")
def main(group: str, threads: int | None) -> None:
    """Run tasks until SIGTERM, which lets the running ones finish."""
    chosen = GROUPS[group]
    app.worker_main(
        [
            "worker",
            f"--hostname={group}-{os.getpid()}@%h",
            f"--pool={chosen.pool}",
            f"--concurrency={threads or settings.load().worker.threads}",
            f"--queues={','.join(chosen.queues)}",
            "--without-gossip",
            "--without-mingle",
        ]
    )


if __name__ == "__main__":
    main()
