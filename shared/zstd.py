"""Compression of what is kept of pages."""

import threading

import zstandard

_LEVEL = 3
#: bytes; up to here small tables, which stay in the processor's caches: two thirds of the time, 1.5 % more bytes
_SMALL = 1 << 17


class _Kept(threading.local):
    """A new compressor takes as long as a page's text."""

    def __init__(self) -> None:
        small = zstandard.ZstdCompressionParameters.from_level(_LEVEL, source_size=_SMALL, hash_log=12, chain_log=11)
        self.small = zstandard.ZstdCompressor(compression_params=small).compress
        self.large = zstandard.ZstdCompressor(level=_LEVEL).compress


_kept = _Kept()


def compress(data: bytes) -> bytes:
    """One zstd frame (RFC 8878) that names the size of its content."""
    return _kept.small(data) if len(data) <= _SMALL else _kept.large(data)
