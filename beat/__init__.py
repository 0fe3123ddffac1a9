"""Time in: the schedule as a table."""
