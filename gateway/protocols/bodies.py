"""Reading a client's JSON body: whatever is wrong with it is named, with the path of the field."""

from typing import TypeVar

import msgspec

from gateway.errors import InvalidRequestError

T = TypeVar("T")


def read(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode a body; raises InvalidRequestError whose ``param`` is a path such as ``a[1].b``."""
    try:
        if not body.isascii():
            body.decode()  # values that are skipped or kept raw are not looked into
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _wrong_field(str(error)) from error
    except msgspec.DecodeError as error:
        raise InvalidRequestError(f"The body is not valid JSON: {error}.") from error
    except UnicodeDecodeError as error:
        raise InvalidRequestError("The body is not valid UTF-8.") from error
    except RecursionError as error:
        raise InvalidRequestError("The body is nested too deeply.") from error


def invalid(path: str, problem: str) -> InvalidRequestError:
    """The error for a field that is there and wrong."""
    return InvalidRequestError(f"Invalid value for '{path}': {problem}.", param=path)


def _wrong_field(text: str) -> InvalidRequestError:
    """From msgspec's "Expected `int`, got `str` - at `$.n`"."""
    problem, _, path = text.partition(" - at `$")
    path = path.rstrip("`").lstrip(".")
    _, is_missing, name = problem.partition("missing required field `")
    if is_missing:
        path = f"{path}.{name.rstrip('`')}".lstrip(".")
        return InvalidRequestError(f"Missing required field '{path}'.", param=path)
    if not path:
        return InvalidRequestError(f"The body is not as expected: {problem}.")
    return invalid(path, problem.replace("`", ""))
