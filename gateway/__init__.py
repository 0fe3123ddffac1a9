"""The core of the gateway: every decision lives here, the entry points only translate."""
