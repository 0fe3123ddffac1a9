"""placeholder."""


def decode(b):
    raise NotImplementedError


def read_answer(b, m):
    raise NotImplementedError
