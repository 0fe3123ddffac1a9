"""A process that drains until it is killed, or settles one call again and again."""

import sys

from gateway import admission, usage
from gateway.admission import Settle
from gateway.admission.events import decode_settlement
from gateway.cache import connect
from gateway.db import Database
from gateway.settings import load


def drain() -> None:
    given = load()
    database = Database.connect(given.resolved_database_url, given.database, "drain")
    client = connect(given.resolved_redis_url)
    run = 0
    while True:
        run += 1
        usage.drain_once(database, client, given.drain, f"{sys.argv[2]}:{run}")


def settle(event: bytes, times: int) -> None:
    client = connect(load().resolved_redis_url)
    settlement = decode_settlement(event)
    hold = settlement.hold
    for _ in range(times):
        operation = Settle(
            reference=hold.reference,
            user=hold.user_id,
            app=hold.app_id or "",
            key=hold.api_key_id or "",
            amount=str(settlement.amount_nanos),
            change=str(hold.held_nanos - settlement.amount_nanos),
            actual={"r": "1", "t": "1", "n": str(settlement.amount_nanos)},
            reports=(),
            event=event.decode(),
            max_backlog=100_000,
            replay=True,
        )
        admission.run(client, [operation])


if __name__ == "__main__":
    if sys.argv[1] == "drain":
        drain()
    else:
        settle(sys.argv[2].encode(), int(sys.argv[3]))
