"""Why a call is refused before it costs anything: pure decisions over snapshots."""

from gateway import clock
from gateway.admission import Check
from gateway.catalog import Catalog, Offer
from gateway.errors import (
    AddressNotAllowedError,
    GatewayError,
    InsufficientQuotaError,
    InvalidApiKeyError,
    InvalidRequestError,
    ModelNotAllowedError,
    ModelNotFoundError,
    ModelNotSellableError,
    OutsideTimeRangeError,
)
from gateway.identity import Caller
from gateway.relay.call import Call

OPERATION_TYPES = {
    "chat": "chat",
    "completions": "chat",
    "count_tokens": "chat",
    "embeddings": "embedding",
    "moderations": "moderation",
}


def check_of(caller: Caller, catalog: Catalog) -> Check:
    return Check(
        user=caller.user_id,
        user_revision=caller.revision,
        policy=caller.policy.id,
        policy_revision=caller.policy.revision,
        catalog_revision=catalog.revision,
    )


def refusal_of(caller: Caller, client_ip: str) -> GatewayError | None:
    """Why this key may do nothing at all, from there and now, if so."""
    if caller.refusal is not None:
        return InvalidApiKeyError(caller.refusal)
    now = clock.now()
    if caller.valid_until is not None and caller.valid_until <= now:
        return InvalidApiKeyError("This API key has expired.")
    if not caller.may_come_from(client_ip) or not caller.may_come_at(now):
        from_there = caller.may_come_from(client_ip)
        return OutsideTimeRangeError() if from_there else AddressNotAllowedError()
    if caller.allowance_ends_at is not None and caller.allowance_ends_at <= now:
        return InsufficientQuotaError("The allowance of this API key has expired.")
    return None


def model_refusal_of(caller: Caller, offer: Offer | None, call: Call) -> GatewayError | None:
    name = call.request.model
    if offer is None:
        return ModelNotFoundError(f"The model '{name[:100]}' does not exist.", param="model")
    if not caller.allows(offer.slug):
        return ModelNotAllowedError(f"This API key may not use '{offer.slug}'.", param="model")
    wanted = OPERATION_TYPES[call.operation]
    if offer.type != wanted:
        return InvalidRequestError(
            f"'{offer.slug}' is a model of type {offer.type}, not {wanted}.", param="model"
        )
    if not offer.is_sellable:
        return ModelNotSellableError(f"The operator has not set a price for '{offer.slug}'.")
    return None
