"""The chat completions dialect: requests, answers and streams, in both directions."""
