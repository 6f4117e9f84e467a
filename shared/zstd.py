"""Compression of what is kept of pages."""

import threading

import zstandard


class _Kept(threading.local):
    """A new compressor takes as long as a page's text."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=3).compress


_kept = _Kept()


def compress(data: bytes) -> bytes:
    """One zstd frame (RFC 8878) that names the size of its content."""
    return _kept.compress(data)
