"""Which samples the engine has, which it should have, and the messages in between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.requests.session import SampleSpec, TeachSamples

MOST = 200
"""Samples in one message."""


class EngineSamples:
    """Brings the engine to the samples of the panel, one message at a time.

    Attributes:
        samples: Those that the engine should have, by id.
        known: Those that it has.
    """

    def __init__(self) -> None:
        self.samples: dict[str, SampleSpec] = {}
        self.known: dict[str, SampleSpec] = {}
        self._classes: dict[int, dict[str, Any]] = {}
        self._known_classes: dict[int, dict[str, Any]] = {}
        self._refused: dict[str, tuple[SampleSpec, str]] = {}
        self._batch = MOST

    @property
    def refusals(self) -> dict[str, str]:
        """Why the engine cannot use samples, by id."""
        return {name: reason for name, (_, reason) in self._refused.items()}

    def set(self, samples: Mapping[str, SampleSpec], classes: Mapping[int, Mapping[str, Any]]) -> bool:
        """Set what the engine should have; return whether it must open the raster again for it.

        Args:
            samples: All samples by id.
            classes: Classes that the model does not have, by class id.
        """
        self.samples = dict(samples)
        self._classes = {number: dict(entry) for number, entry in classes.items()}
        self._refused = {name: one for name, one in self._refused.items() if self.samples.get(name) == one[0]}
        return any(self._classes.get(number, entry) != entry for number, entry in self._known_classes.items())

    def forget(self, refusals: bool = False) -> None:
        """Note that the engine has no samples, and may take refused ones."""
        self.known, self._known_classes, self._batch = {}, {}, MOST
        if refusals:
            self._refused.clear()

    def difference(self) -> TeachSamples | None:
        """Return the next message that brings the engine closer to the samples; None if it has them."""
        removed = tuple(name for name in self.known if name not in self.samples or name in self._refused)
        changed = [
            spec for name, spec in self.samples.items() if self.known.get(name) != spec and name not in self._refused
        ][: self._batch]
        if not removed and not changed:
            return None
        used = {spec.class_id for spec in changed} - set(self._known_classes)
        classes = tuple(entry for number, entry in self._classes.items() if number in used)
        return TeachSamples(tuple(spec.to_json() for spec in changed), removed, classes)

    def remember(self, request: TeachSamples) -> None:
        """Note what the engine has been taught."""
        self._batch = min(self._batch * 2, MOST)
        for name in request.remove:
            self.known.pop(name, None)
        for value in request.samples:
            spec = SampleSpec.from_json(value)
            self.known[spec.id] = spec
        self._known_classes.update({int(entry["id"]): entry for entry in request.classes})

    def refuse(self, request: TeachSamples, error: LandCoverError) -> str | None:
        """Find the sample that the engine cannot use: halve the messages until there is one in it.

        Returns:
            Id of the sample, empty while it is being searched; None if the error is not about a sample.
        """
        if error.code not in ("request", "classes") or not request.samples:
            return None
        if len(request.samples) > 1:
            self._batch = len(request.samples) // 2
            return ""
        spec = SampleSpec.from_json(request.samples[0])
        self._refused[spec.id] = spec, str(error)
        return spec.id
