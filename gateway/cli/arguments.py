"""What people type, as the values that commands work with."""

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click
import msgspec

UNLIMITED = "unlimited"


class Usd(click.ParamType[Decimal | str]):
    """US dollars; ``unlimited`` where there may be no bound."""

    name = "usd"

    def __init__(self, *, may_be_unlimited: bool = False) -> None:
        self._may_be_unlimited = may_be_unlimited

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal | str:
        if self._may_be_unlimited and value == UNLIMITED:
            return UNLIMITED
        try:
            return Decimal(str(value))
        except InvalidOperation:
            self.fail(f"{value!r} is not an amount of US dollars", param, ctx)


class Prompt(click.ParamType[str | dict[str, Any]]):
    """Text, or ``@FILE`` with the JSON body of a request."""

    name = "text|@file"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | dict[str, Any]:
        text = str(value)
        if not text.startswith("@"):
            return text
        path = Path(text[1:])
        try:
            return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        except OSError as error:
            self.fail(f"{path}: {error.strerror}", param, ctx)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self.fail(f"{path} holds no JSON object: {error}", param, ctx)


def limit_of(amount: Decimal | str) -> Decimal | None:
    return amount if isinstance(amount, Decimal) else None


def parse_prices(pairs: tuple[str, ...]) -> dict[str, Decimal]:
    """``input=2.50 output=10`` as US dollars per million units."""
    prices = {}
    for pair in pairs:
        dimension, separator, amount = pair.partition("=")
        try:
            prices[dimension] = Decimal(amount)
        except InvalidOperation:
            separator = ""
        if not separator:
            msg = f"{pair!r} is not DIMENSION=USD, for example input=2.50"
            raise click.BadParameter(msg)
    return prices
