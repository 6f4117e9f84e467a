"""The same no-op job on other queues: each script runs in an environment of its own, see `install.py`."""
