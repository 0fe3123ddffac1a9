"""The billing routes of OpenAI's old dashboard, which many clients still show a balance by."""

from typing import Any

from sanic import Blueprint, HTTPResponse
from sanic.response import json

from api.context import Request
from api.incoming import visitor_of
from gateway import money
from gateway.relay import Standing, get_standing

# What gateways of this kind say instead of "unlimited".
UNLIMITED_USD = 100_000_000
METHODS = ("GET", "POST")

billing = Blueprint("openai_billing")


async def subscription(request: Request) -> HTTPResponse:
    return json(_subscription(await _standing(request)))


async def usage(request: Request) -> HTTPResponse:
    """In cents; the dates that clients send are those of an account that never resets."""
    used_usd = money.to_usd((await _standing(request)).used_nanos)
    return json({"object": "list", "total_usage": float(100 * used_usd)})


async def _standing(request: Request) -> Standing:
    visitor = await visitor_of(request)
    return await get_standing(request.app.ctx.deps, visitor.caller)


def _subscription(standing: Standing) -> dict[str, Any]:
    limit, end = standing.limit_nanos, standing.ends_at
    limit_usd = UNLIMITED_USD if limit is None else float(money.to_usd(limit))
    return {
        "object": "billing_subscription",
        "has_payment_method": True,
        "soft_limit_usd": limit_usd,
        "hard_limit_usd": limit_usd,
        "system_hard_limit_usd": limit_usd,
        "access_until": 0 if end is None else int(end.timestamp()),
    }


billing.add_route(subscription, "/billing/subscription", METHODS, name="subscription")
billing.add_route(usage, "/billing/usage", METHODS, name="usage")
billing.add_route(
    subscription, "/dashboard/billing/subscription", METHODS, name="dashboard_subscription"
)
billing.add_route(usage, "/dashboard/billing/usage", METHODS, name="dashboard_usage")
