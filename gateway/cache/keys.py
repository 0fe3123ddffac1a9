"""The name of every key we keep in Redis; the number is the version of their contents.

Old and new processes run side by side during an upgrade: a change of contents takes a
new number, never a new meaning for an old one. The Lua scripts build the same names.
"""

PREFIX = "sluice:1:"

EPOCH = PREFIX + "epoch"  # names this filling of Redis; absent: Redis was emptied
RECOVERY = PREFIX + "recovery"  # the epoch being built; present: nobody may admit yet
RECOVERY_LEASE = PREFIX + "recovery-lease"  # whoever builds it is alive
REPLAYED = PREFIX + "replayed:"  # + epoch: processes whose journal is in the stream again
# What counts open calls; how much was used in a period is as true after a restart as before.
STATE_PATTERNS = tuple(
    PREFIX + name for name in ("u:*", "h:*", "m:*:open", "holds", "slots", "health")
)
STREAM = PREFIX + "settlements"  # settlements waiting for the drain
TRIMMED = PREFIX + "trimmed"  # newest stream id that the drain has taken away
HEALTH = PREFIX + "health"  # hash: what is wrong with links, backends and keys
HOLDS = PREFIX + "holds"  # sorted set "user reference" → lease end in ms
DEAD_LETTERS = PREFIX + "dead-letters"  # settlements that nobody can read, for a person
BROKER_PREFIX = "sluice:q:"


def revision(kind: str, object_id: str) -> str:
    return f"{PREFIX}rev:{kind}:{object_id}"


def allowance(user_id: str) -> str:
    """Hash: "u", "a:<app>", "k:<key>" → available nanos, or "inf"."""
    return f"{PREFIX}u:{user_id}"


def user_holds(user_id: str) -> str:
    """Hash: reference → packed hold."""
    return f"{PREFIX}h:{user_id}"


def tool_state(user_id: str, tool_call_id: str) -> str:
    """What a vendor must get back with the tool call; see ``protocols/tool_state.py``."""
    return f"{PREFIX}tool:{user_id}:{tool_call_id}"
