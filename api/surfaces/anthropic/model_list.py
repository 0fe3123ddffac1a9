"""Models as Anthropic's clients know them, page by page."""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from api.context import Request
from gateway.catalog import Offer
from gateway.errors import InvalidRequestError

DEFAULT_LIMIT, MAX_LIMIT = 20, 1000
LIMIT = re.compile(r"[0-9]{1,4}")


@dataclass(frozen=True, slots=True)
class Page:
    """A window on the list: after one model, or before one."""

    limit: int = DEFAULT_LIMIT
    after_id: str | None = None
    before_id: str | None = None


def page_of(request: Request) -> Page:
    """Raises InvalidRequestError naming the parameter."""
    arguments = request.args
    limit = arguments.get("limit", str(DEFAULT_LIMIT))
    if not LIMIT.fullmatch(limit) or not 1 <= int(limit) <= MAX_LIMIT:
        raise InvalidRequestError(f"limit: must be from 1 to {MAX_LIMIT}.", param="limit")
    page = Page(int(limit), arguments.get("after_id"), arguments.get("before_id"))
    if page.after_id and page.before_id:
        raise InvalidRequestError("after_id and before_id cannot be combined.", param="before_id")
    return page


def listed(offers: Sequence[Offer], page: Page) -> dict[str, Any]:
    ids = [offer.slug for offer in offers]
    if page.before_id:
        end = _place_of(page.before_id, ids, "before_id")
        start = max(0, end - page.limit)
        has_more = start > 0
    else:
        start = _place_of(page.after_id, ids, "after_id") + 1 if page.after_id else 0
        end = min(len(ids), start + page.limit)
        has_more = end < len(ids)
    data = [described(offer) for offer in offers[start:end]]
    return {
        "data": data,
        "has_more": has_more,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }


def described(offer: Offer) -> dict[str, Any]:
    created = dt.datetime.fromtimestamp(offer.created, dt.UTC)
    return {
        "type": "model",
        "id": offer.slug,
        "display_name": offer.name or offer.slug,
        "created_at": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _place_of(id_: str, ids: Sequence[str], param: str) -> int:
    try:
        return ids.index(id_)
    except ValueError as error:
        raise InvalidRequestError(f"{param}: there is no such model.", param=param) from error
