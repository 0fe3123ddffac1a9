"""Real PostgreSQL and Redis servers for tests: found or installed, started, thrown away."""
