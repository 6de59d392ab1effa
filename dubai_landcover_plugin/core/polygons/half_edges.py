"""Links: what is left of the borders when they are simpler, as pieces of rings that strips pass on to each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.polygons.borders import E, N, Parts, S, StripBorders, W, find_borders
from dubai_landcover_plugin.core.polygons.simplification import BorderSimplifier

Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Links:
    """Steps of rings, from corner to corner.

    The key of a step is ``4 * corner + direction`` where it begins; corners are counted row by row through the raster.

    Args:
        keys: (L,) of each step.
        following: (L,) key of the step after it, on the same ring.
        parts: (L,) what lies on its right; 0 is no data.
    """

    keys: Indices
    following: Indices
    parts: Indices

    @classmethod
    def join(cls, links: list[Links]) -> Links:
        """Put several together."""
        return cls(
            *(
                np.concatenate([np.empty(0, np.int64), *(getattr(part, name) for part in links)])
                for name in ("keys", "following", "parts")
            )
        )

    def where(self, chosen: Flags) -> Links:
        """Return those for which ``chosen``, (L,), is true."""
        return Links(self.keys[chosen], self.following[chosen], self.parts[chosen])


@dataclass(frozen=True)
class Loose:
    """Borders that hang down to the next strip, from left to right.

    Args:
        x: (J,) column of the vertex above the seam.
        y: (J,) its row.
        keys: (J,) of the step down to the seam.
        following: (J,) key of the step after the one that comes up from the seam.
    """

    x: Indices
    y: Indices
    keys: Indices
    following: Indices


_NOTHING = Loose(*(np.empty(0, np.int64) for _ in range(4)))


class LinkTracer:
    """Turns strips of parts into links, from the top.

    Args:
        width: Columns of the raster.
        tolerance: See :class:`BorderSimplifier`; 0 leaves every corner.
    """

    def __init__(self, width: int, tolerance: float) -> None:
        self._columns = width + 1
        self._tolerance = tolerance
        self._loose = _NOTHING
        self._lattice = np.empty((0, self._columns), bool)
        self.row = 0

    def trace(self, parts: Parts, bottom: bool) -> Links:
        """Take the next strip; return the links that are finished.

        Args:
            parts: See :func:`find_borders`.
            bottom: Whether the raster ends with it.
        """
        height = len(parts) - 2
        strip = find_borders(parts, self.row, self.row == 0, bottom)
        edges = _Edges(strip, self._loose, self._columns, None if bottom else self.row + height)
        alive = self._simplify(strip, edges, height)
        finished, self._loose = edges.links(alive)
        self.row += height
        return finished

    def _simplify(self, strip: StripBorders, edges: _Edges, height: int) -> Flags:
        lattice = np.zeros((height + 1, self._columns), bool)
        lattice[strip.y - self.row, strip.x] = True
        lattice[-1, strip.below] = True
        above = self._lattice[:-1]
        whole = np.concatenate([above, lattice])
        alive = BorderSimplifier(
            edges.x,
            edges.y,
            edges.neighbours,
            edges.outer,
            edges.pinned,
            edges.direct,
            whole,
            self.row - len(above),
            self._tolerance,
        ).run()
        self._lattice = whole[len(above) :].copy()
        return alive


class _Edges:
    """The edges of a strip and of what hangs into it.

    Edges are counted as in :class:`StripBorders`; behind these come the steps down to the seam above.
    """

    def __init__(self, strip: StripBorders, loose: Loose, columns: int, seam: int | None) -> None:
        count = len(strip.x)
        own = loose.y * columns + loose.x
        _, first, which = np.unique(own, return_index=True, return_inverse=True)
        hanging = count + which.astype(np.int64)  # vertex above each loose border
        self.x = np.concatenate([strip.x, loose.x[first]])
        self.y = np.concatenate([strip.y, loose.y[first]])
        edges = strip.targets.reshape(-1, 4).copy()
        upward = strip.hanging
        edges[upward, N] = hanging
        self._count, self._upward = count, upward
        self._targets = np.concatenate([edges.ravel(), upward])
        self._starts = np.concatenate([np.repeat(np.arange(count), 4), hanging])
        self._parts = np.concatenate([strip.parts, strip.parts[4 * upward + W]]).astype(np.int64)
        corner = strip.y * columns + strip.x
        self._keys = np.concatenate([(4 * corner[:, None] + np.arange(4)).ravel(), loose.keys])
        turns = np.concatenate([strip.turns, strip.hanging_turns]).astype(np.int64)
        self._next = np.where(self._targets >= 0, 4 * self._targets + turns, -1)
        self._following = np.full(len(self._next), -1, np.int64)
        known = self._next >= 0
        self._next[4 * upward + N] = -1
        known[4 * upward + N] = False
        self._following[known] = self._keys[self._next[known]]
        self._following[4 * upward + N] = loose.following
        self._on_seam = np.zeros(len(self.x), bool) if seam is None else self.y == seam
        self._on_seam[count:] = False
        self._describe(strip, edges)

    def _describe(self, strip: StripBorders, edges: Indices) -> None:
        """Set out what the simplifier asks for."""
        more = len(self.x) - self._count
        free = np.append((strip.degree == 2) & ~self._on_seam[: self._count], np.zeros(more, bool))
        self.neighbours = np.full((len(self.x), 2), -1, np.int64)
        own = np.flatnonzero(free)
        ends = edges[own]
        self.neighbours[own] = ends[ends >= 0].reshape(-1, 2)
        self.outer = np.append(strip.outer, np.zeros(more, bool))
        self.pinned = self._on_seam.astype(np.int8)
        self.pinned[self._count :] = 2
        once = np.concatenate([4 * np.arange(self._count) + E, 4 * np.arange(self._count) + S])
        once = np.concatenate([once, np.arange(4 * self._count, len(self._targets))])
        once = once[self._targets[once] >= 0]
        pairs = np.stack([self._starts[once], self._targets[once]], axis=1)
        self.direct = pairs[~free[pairs].any(axis=1)]

    def links(self, alive: Flags) -> tuple[Links, Loose]:
        """Return the finished links, and the borders that hang down to the next strip."""
        steps = np.flatnonzero((self._targets >= 0) & alive[self._starts])
        last = steps.copy()  # the last edge of each step
        gone = np.flatnonzero(~alive[self._targets[last]])
        while len(gone):
            last[gone] = self._next[last[gone]]
            gone = gone[~alive[self._targets[last[gone]]]]
        ends = self._targets[last]
        following = self._following[last]
        down, up = self._on_seam[ends], self._on_seam[self._starts[steps]]
        done = ~down & ~up
        finished = Links(self._keys[steps[done]], following[done], self._parts[steps[done]])
        return finished, self._hanging(steps, ends, following, down, up)

    def _hanging(self, steps: Indices, ends: Indices, following: Indices, down: Flags, up: Flags) -> Loose:
        going = np.flatnonzero(down)
        going = going[np.argsort(self.x[ends[going]])]
        coming = np.flatnonzero(up)
        coming = coming[np.argsort(self.x[self._starts[steps[coming]]])]
        above = ends[coming]
        return Loose(self.x[above], self.y[above], self._keys[steps[going]], following[coming])
