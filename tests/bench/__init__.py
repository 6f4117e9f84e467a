"""Benchmarks: `python -m tests.bench [reads] [--tasks N] [--database sqlite|postgres|both] [--short]`."""
