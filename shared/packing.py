"""Numbers as bytes, little-endian on any machine."""

import sys
from array import array
from collections.abc import Iterable


def packed(kind: str, numbers: Iterable[int]) -> bytes:
    """Numbers of a kind that `array` knows: `q` signed of 64 bits, `I` unsigned of 32."""
    found = array(kind, numbers)
    if sys.byteorder == "big":
        found.byteswap()
    return found.tobytes()


def unpacked(kind: str, data: bytes) -> "array[int]":
    """What `packed` made of numbers."""
    found = array(kind, data)
    if sys.byteorder == "big":
        found.byteswap()
    return found
