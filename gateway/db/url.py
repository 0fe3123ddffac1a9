"""Database URLs as operators paste them, made into the one driver per engine that we use."""

from sqlalchemy.engine import URL, make_url


def normalise_url(url: str) -> URL:
    """``postgres://`` and every other PostgreSQL spelling become ``postgresql+psycopg2``.

    SQLAlchemy 2.1 reads a bare ``postgresql://`` as psycopg 3, which is not installed.
    """
    if url.startswith("postgres://"):
        url = "postgresql://" + url.removeprefix("postgres://")
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg2")
    if parsed.get_backend_name() == "sqlite":
        return parsed.set(drivername="sqlite+pysqlite")
    msg = f"{parsed.get_backend_name()} is not supported; use PostgreSQL or SQLite"
    raise ValueError(msg)
