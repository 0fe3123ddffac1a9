"""What is wrong with a configuration, said to the operator who wrote it."""

from gateway.errors import InvalidRequestError


class ConfigurationError(InvalidRequestError):
    """The message names the object or the path in the file."""
