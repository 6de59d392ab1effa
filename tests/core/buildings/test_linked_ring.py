"""Ring of elements with removals."""

import numpy as np

from dubai_landcover_plugin.core.buildings.linked_ring import LinkedRing, rolled


def test_neighbours_are_linked_round_the_ring():
    ring = LinkedRing(4)
    assert (ring.previous, ring.next) == ([3, 0, 1, 2], [1, 2, 3, 0])
    assert ring.remaining() == [0, 1, 2, 3]


def test_neighbours_of_removed_elements_are_linked():
    ring = LinkedRing(5)
    ring.unlink(2)
    ring.unlink(3)
    assert (ring.next[1], ring.previous[4]) == (4, 1)
    assert (ring.remaining(), ring.count) == ([0, 1, 4], 3)
    assert (ring.previous[3], ring.next[3]) == (1, 4)  # of the removed element


def test_the_first_and_the_last_can_be_removed():
    ring = LinkedRing(3)
    ring.unlink(0)
    assert (ring.next[2], ring.previous[1]) == (1, 2)
    ring.unlink(2)
    assert (ring.next[1], ring.previous[1], ring.remaining()) == (1, 1, [1])


def test_rolled_rings_are_those_of_numpy():
    for size in range(3, 6):
        ring = np.arange(2.0 * size).reshape(size, 2)
        for by in range(-3, 4):
            assert (rolled(ring, by) == np.roll(ring, by, axis=0)).all()
            assert (rolled(ring[:, 0], by) == np.roll(ring[:, 0], by)).all()
