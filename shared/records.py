"""`record`: a frozen dataclass with slots, quick to make.

Frozen for the type checker alone: at run time a frozen dataclass sets each field by a call, which takes four times as
long, and a page needs some twenty records.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

__all__ = ["record"]

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:

    def record(*, frozen: bool, slots: bool) -> object:
        """`dataclass` with these words, which say what the type checker is to see."""
        return dataclass(slots=slots, unsafe_hash=frozen)
