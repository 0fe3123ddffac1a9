"""Users one at a time: creating, disabling, and moving their allowance by hand."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import func, or_, select

from gateway import clock, ids, ledger, money
from gateway.configuration import document, people
from gateway.configuration.changes import Changes
from gateway.configuration.problems import ConfigurationError
from gateway.configuration.secrets import Secrets
from gateway.crypto import Sealer
from gateway.db import ReadSession, Session
from models import Basis, EntryKind, EntryLevel, Policy, Role, User, UserStatus


@dataclass(frozen=True, slots=True)
class UserView:
    id: str
    number: int
    email: str | None
    account: str | None
    name: str
    role: str
    status: str
    policy: str
    limit_nanos: int | None
    used_nanos: int
    lifetime_used_nanos: int
    created_at: dt.datetime


def list_users(session: ReadSession) -> list[UserView]:
    rows = session.execute(
        select(User, Policy.name).join(Policy, Policy.id == User.policy_id).order_by(User.number)
    )
    return [_view(user, policy) for user, policy in rows]


def get_view(session: ReadSession, reference: str) -> UserView:
    user = get_user(session, reference)
    policy = session.execute(select(Policy.name).where(Policy.id == user.policy_id)).scalar_one()
    return _view(user, policy)


def _view(user: User, policy: str) -> UserView:
    return UserView(
        id=user.id,
        number=user.number,
        email=user.email,
        account=user.account,
        name=user.name,
        role=user.role,
        status=user.status,
        policy=policy,
        limit_nanos=user.limit_nanos,
        used_nanos=user.used_nanos,
        lifetime_used_nanos=user.lifetime_used_nanos,
        created_at=user.created_at,
    )


def get_user(session: ReadSession, reference: str, *, lock: bool = False) -> User:
    """By e-mail, account or number; ``lock`` keeps the row until the transaction ends."""
    named = [User.email == reference, User.account == reference]
    if reference.isascii() and reference.isdigit():
        named.append(User.number == min(int(reference), document.MAX_NANOS))
    query = select(User).where(or_(*named)).order_by(User.number).limit(1)
    user = session.scalars(query.with_for_update() if lock else query).one_or_none()
    if user is None:
        msg = f"there is no user {reference!r}"
        raise ConfigurationError(msg)
    return user


def create_user(session: Session, sealer: Sealer, part: document.User) -> UserView:
    """Raises if the user exists already."""
    taken = [
        User.email == part.email if isinstance(part.email, str) else None,
        User.account == part.account if isinstance(part.account, str) else None,
    ]
    known = or_(*(condition for condition in taken if condition is not None))
    if session.scalars(select(User.id).where(known).limit(1)).one_or_none() is not None:
        msg = f"there is a user {part.label!r} already"
        raise ConfigurationError(msg)
    changes = Changes()
    user = people.import_user(session, changes, Secrets(sealer, {}), part, "user")
    changes.mark(session, "user created")
    return get_view(session, user.email or user.account or str(user.number))


def set_user_status(session: Session, reference: str, status: UserStatus) -> bool:
    """False if the user has that status already; the last administrator stays active."""
    user = get_user(session, reference, lock=True)
    if user.status == status:
        return False
    if user.role == Role.ADMIN and user.status == UserStatus.ACTIVE and _admins(session) == 1:
        msg = "the last active administrator cannot be disabled"
        raise ConfigurationError(msg)
    changes = Changes()
    people.update_payer(changes, user, {"status": status}, user.id)
    changes.mark(session, "status")
    return True


def _admins(session: ReadSession) -> int:
    return session.execute(
        select(func.count()).where(User.role == Role.ADMIN, User.status == UserStatus.ACTIVE)
    ).scalar_one()


def set_limit(session: Session, reference: str, amount: Decimal | None) -> None:
    """What the user may spend in US dollars; None is unlimited."""
    _check(amount)
    user = get_user(session, reference, lock=True)
    limit = None if amount is None else money.from_usd(amount)
    changes = Changes()
    people.update_payer(changes, user, {"limit_nanos": limit}, user.id)
    changes.mark(session, "limit")


def grant(session: Session, reference: str, amount: Decimal) -> None:
    """Raise the limit; the ledger keeps that it happened, though nothing was used."""
    _check(amount)
    user = get_user(session, reference, lock=True)
    if user.limit_nanos is None:
        msg = f"{reference} has no limit that could be raised; set one first"
        raise ConfigurationError(msg)
    raised = user.limit_nanos + money.from_usd(amount)
    _check(money.to_usd(raised))
    changes = Changes()
    people.update_payer(changes, user, {"limit_nanos": raised}, user.id)
    note = f"limit raised by {money.format_usd(money.from_usd(amount))} USD"
    _append(session, user, EntryKind.GRANT, 0, note)
    changes.mark(session, EntryKind.GRANT)


def reset_used(session: Session, reference: str) -> int:
    """Start counting at zero again; returns the nanos that were taken back."""
    user = get_user(session, reference, lock=True)
    used = user.used_nanos
    if used == 0:
        return 0
    _append(session, user, EntryKind.RESET, -used, "used set to zero")
    changes = Changes()
    changes.allowances.add(user.id)
    changes.mark(session, EntryKind.RESET)
    return used


def _append(session: Session, user: User, kind: EntryKind, amount: int, note: str) -> None:
    entry = ledger.Entry(
        id=ids.new_uuid(),
        created_at=clock.now(),
        reference=ids.new(kind),
        slot=ledger.FINAL,
        kind=kind,
        level=EntryLevel.USER,
        user_id=user.id,
        amount_nanos=amount,
        basis=Basis.NONE,
        note=note,
    )
    ledger.append(session, [entry])


def _check(amount: Decimal | None) -> None:
    try:
        document.check_amount("the amount", amount)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
