"""Doubly linked ring of numbered elements, from which elements are removed."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

Item = TypeVar("Item", bound=np.generic)


def rolled(values: npt.NDArray[Item], by: int) -> npt.NDArray[Item]:
    """Roll the elements of a ring, (N, ...), as ``numpy.roll`` along the first axis, which is slow for short rings.

    Args:
        values: One element for each vertex or edge.
        by: Number of places, at most N forwards or backwards.
    """
    return np.concatenate([values[-by:], values[:-by]])


class LinkedRing:
    """Elements 0 to n - 1 in a ring.

    The links of a removed element stay: they lead to the elements that were beside it.

    Args:
        count: Number of elements n.
    """

    def __init__(self, count: int) -> None:
        self.previous = [(i - 1) % count for i in range(count)]
        self.next = [(i + 1) % count for i in range(count)]
        self.removed = [False] * count
        self.count = count

    def unlink(self, i: int) -> None:
        """Remove element i."""
        previous, following = self.previous[i], self.next[i]
        self.next[previous], self.previous[following] = following, previous
        self.removed[i] = True
        self.count -= 1

    def remaining(self) -> list[int]:
        """Return the elements that are left, in their order."""
        return [i for i, removed in enumerate(self.removed) if not removed]
