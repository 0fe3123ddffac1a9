"""A simulator of model vendors: real HTTP, their wire formats, deterministic answers."""
