"""What a request needs before it can be written for an upstream that is not its own kind."""

import dataclasses

from gateway.protocols import tool_state
from gateway.protocols.canonical import Call
from gateway.protocols.exchange import Wish
from gateway.protocols.presets import preset
from gateway.relay import media
from gateway.relay.attempts import Try


async def prepared(attempt: Try, wish: Wish) -> Wish:
    """The wish with media fetched and vendors' state put back, where that is needed.

    Most requests speak the upstream's dialect and go as they are.
    """
    traits = wish.traits
    is_converted = attempt.provider.protocol != attempt.entry.call.dialect.name
    if not (is_converted or traits.is_written_anew or wish.call):
        return wish
    call = wish.call or attempt.entry.call.request.call()
    if call is None:
        return wish
    given = call
    if traits.is_preset:
        call = preset(call, traits)
    call = await _with_states(attempt, await _with_media(attempt, wish, call))
    if call is given and not is_converted:
        return wish  # after all it goes as it is
    return dataclasses.replace(wish, call=call)


async def _with_states(attempt: Try, call: Call) -> Call:
    ids = tool_state.ids_in(call)
    if not ids:
        return call
    user_id = attempt.entry.hold.user_id
    return tool_state.restored(call, await attempt.deps.tool_states.recall(user_id, ids))


async def _with_media(attempt: Try, wish: Wish, call: Call) -> Call:
    """One protocol knows no addresses of documents; some servers fetch nothing at all.

    What was fetched for one attempt serves those after it, but for a request of our own.
    """
    images = wish.traits.inline_media
    documents = images or not attempt.provider.takes_document_urls
    fetched = attempt.entry.fetched
    if wish.call is None and (images, documents) in fetched:
        return fetched[images, documents]
    ready = await media.inline(call, attempt.deps.fetcher, images=images, documents=documents)
    if wish.call is None and ready is not call:
        fetched[images, documents] = ready
    return ready
