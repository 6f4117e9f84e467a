"""Accounting under fire: `python -m tests.soak` crawls while processes and services die, then counts."""
