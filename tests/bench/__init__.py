"""Measures the gateway under load, side by side with other gateways: ``make bench``."""
