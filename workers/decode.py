"""Content-Encoding (RFC 9110, 8.4): bodies decoded within a limit, whatever they claim to be."""

import zlib
from collections.abc import Callable

import brotli
import zstandard

from workers.errors import BadResponse, BodyTooLarge

#: what `decode` understands
ACCEPT_ENCODING = "gzip, deflate, br, zstd"
_GZIP_MAGIC = b"\x1f\x8b"
#: of one body; servers never need more than one
_MAX_CODINGS = 2
#: of one gzip body; each costs a copy of the rest
_MAX_MEMBERS = 100
#: bytes; RFC 9659: no more may be asked of a client, whatever a frame's header says
_ZSTD_WINDOW = 8 * 1024 * 1024
_BROKEN = (zlib.error, brotli.error, zstandard.ZstdError)


def decode(body: bytes, encoding: str, limit: int) -> bytes:
    """`body` without its content codings, the last applied first.

    Raises BodyTooLarge over `limit` bytes (never holding more than 64 kB over it), BadResponse for
    an unknown coding or broken data. A body that merely ends early is returned as far as it goes.
    """
    codings = [c for c in (part.strip().lower() for part in encoding.split(",")) if c and c != "identity"]
    if len(codings) > _MAX_CODINGS:
        raise BadResponse(f"Too many content encodings: {encoding}")
    for coding in reversed(codings):
        inflate = _CODINGS.get(coding)
        if inflate is None:
            raise BadResponse(f"Unknown content encoding: {coding}")
        try:
            body = inflate(body, limit)
        except _BROKEN as error:
            raise BadResponse(f"The body is not valid {coding}: {error}") from None
    return body


def _gzip(body: bytes, limit: int) -> bytes:
    out, rest = b"", body
    for _ in range(_MAX_MEMBERS):  # RFC 1952, 2.2: members follow each other
        if not rest.startswith(_GZIP_MAGIC):
            break  # the end, or trailing rubbish
        stream = zlib.decompressobj(31)
        out += _within(stream.decompress(rest, limit + 1 - len(out)), limit - len(out))
        rest = stream.unused_data
    if body and not body.startswith(_GZIP_MAGIC):
        raise BadResponse("The body is not valid gzip")
    return out


def _deflate(body: bytes, limit: int) -> bytes:
    # RFC 9110 means zlib; many servers send the bare stream.
    zlib_header = len(body) > 1 and body[0] & 15 == 8 and int.from_bytes(body[:2]) % 31 == 0
    return _within(zlib.decompressobj(15 if zlib_header else -15).decompress(body, limit + 1), limit)


def _brotli(body: bytes, limit: int) -> bytes:
    stream = brotli.Decompressor()
    # The buffer grows in blocks, so what comes out is a little over the limit, or all there is.
    out: bytes = stream.process(body, output_buffer_limit=limit + 1)
    if not out and not stream.is_finished():
        raise BadResponse("The body is not valid br")
    return _within(out, limit)


def _zstd(body: bytes, limit: int) -> bytes:
    frames = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    with frames.stream_reader(body, read_across_frames=True) as reader:
        return _within(reader.read(limit + 1), limit)


def _within(out: bytes, limit: int) -> bytes:
    if len(out) > limit:
        raise BodyTooLarge("The decoded body is larger than allowed")
    return out


_CODINGS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
