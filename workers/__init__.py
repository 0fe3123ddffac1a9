"""Celery in: task functions and the worker process, nothing else."""
