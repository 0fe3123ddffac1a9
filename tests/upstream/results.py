"""The addresses of finished pictures, and how they die when their work was told so."""

import re
from dataclasses import replace

from tests.upstream.behaviour import Fault
from tests.upstream.pictures import draw_png
from tests.upstream.reply import Call, Reply
from tests.upstream.works import Work

MIB = 1024 * 1024
HTML = b"<!DOCTYPE html><html><body>This link is no picture any more.</body></html>"
NOT_FOUND = Reply(b"not found", status=404, content_type="text/plain", is_answer=False)
BREAKS = {"urlcut": Fault(reset_after=1), "urlhang": Fault(quiet_after=1)}

_name = re.compile(r"(?P<id>[A-Za-z0-9_]+)-(?P<part>[a-z0-9]+)\.png")


def answer(call: Call) -> Reply:
    """GET …/files/ID-PART.png; of several images the parts are numbered from 0."""
    found = _name.fullmatch(call.path.rpartition("/")[2])
    work = call.works.find(found.group("id")) if found else None
    if found is None or work is None or "size" not in work.details:
        return NOT_FOUND
    return spoil(show(work, found.group("part")), work.fault)


def show(work: Work, part: str) -> Reply:
    width, height = work.details["size"]
    is_transparent = bool(work.details.get("is_transparent"))
    drawn = draw_png(f"{work.prompt}#{part}", width, height, is_transparent=is_transparent)
    return Reply(drawn, content_type="image/png")


def spoil(reply: Reply, fault: Fault) -> Reply:
    """What really comes of a result."""
    if "urlgone" in fault.flags:
        return NOT_FOUND
    if "urltype" in fault.flags:
        return Reply(HTML, content_type="text/html; charset=utf-8", is_answer=False)
    if fault.result_mib is not None:
        reply = replace(reply, body=reply.body.ljust(fault.result_mib * MIB, b"\0"))
    breaks = (how for flag, how in BREAKS.items() if flag in fault.flags)
    return replace(reply, fault=next(breaks, None))
