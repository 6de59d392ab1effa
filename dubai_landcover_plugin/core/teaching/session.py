"""A teaching session: views of a raster, samples, a corrected model. One raster, one model."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
from affine import Affine

from dubai_landcover_plugin.core.bundle.bundle import open_bundle
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.placement import drawn_transform
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.input_files import check_unchanged, identify_input
from dubai_landcover_plugin.core.segmentation.class_rows import ClassDecision
from dubai_landcover_plugin.core.segmentation.executor import open_job
from dubai_landcover_plugin.core.teaching.feature_store import FeatureStore
from dubai_landcover_plugin.core.teaching.fit import fit_head
from dubai_landcover_plugin.core.teaching.head import Head
from dubai_landcover_plugin.core.teaching.lesson import (
    History,
    Lesson,
    PlacedSample,
    contradictions,
    correct_share,
    cross_validate,
    mean_by_name,
    taught_pixels,
)
from dubai_landcover_plugin.core.teaching.model import check_teachable, read_head, save_taught
from dubai_landcover_plugin.core.teaching.samples import (
    Sample,
    class_of,
    sample_of,
)
from dubai_landcover_plugin.core.teaching.session_features import SessionFeatures
from dubai_landcover_plugin.core.teaching.survey import Survey
from dubai_landcover_plugin.core.teaching.view import View, blended_probabilities, classify
from dubai_landcover_plugin.core.teaching.view_raster import write_view
from dubai_landcover_plugin.protocol.classes import ClassScheme, LandCoverClass, coloured
from dubai_landcover_plugin.protocol.errors import ClassSchemeError, RequestError
from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest
from dubai_landcover_plugin.protocol.requests.session import (
    Agreement,
    Opened,
    OpenSession,
    Probed,
    ProbeRequest,
    SampleSpec,
    Saved,
    SaveModel,
    Suggested,
    SuggestRequest,
    TeachSamples,
    TeachState,
    ViewRequest,
    ViewResult,
)
from dubai_landcover_plugin.protocol.translation import joined, tr

_NOTHING = {"undo": "There is nothing to undo.", "redo": "There is nothing to redo."}


class TeachingSession:
    """An open raster with a model that can be taught; a context manager.

    Args:
        request: Raster, model and options of the run that views should equal.
        monitor: Receives messages.

    Raises:
        BundleError: if the model cannot be taught.
        LandCoverError: if raster or model cannot be opened.
    """

    def __init__(self, request: OpenSession, monitor: Monitor) -> None:
        bundle = open_bundle(request.options.model)
        check_teachable(bundle)
        if request.options.tta:
            raise RequestError(tr("A session has no test-time augmentation."), tr("Switch it off."))
        # The plan names an output whose folder is checked for space; a session writes small files only.
        output = os.path.join(tempfile.gettempdir(), "view.tif")
        self._inputs = identify_input(request.input)
        if request.options.second:
            self._inputs += identify_input(request.options.second)
        self._stack = ExitStack()
        with ExitStack() as stack:
            self.job = open_job(stack, SegmentationRequest(request.input, output, request.options), bundle)
            head = read_head(bundle)
            self._stack = stack.pop_all()
        self._options = request.options
        self.history = History([Lesson({}, (), head)])
        self.features = SessionFeatures(self.job, request.options, monitor)
        self._survey = Survey(self.job, self.features.weights)
        self._untaught_view: View | None = None  # the last one
        self._judged: tuple[Lesson, Agreement] | None = None  # of the last state that was judged

    def __enter__(self) -> TeachingSession:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the raster and release the network and all features."""
        self.release()
        self._stack.close()

    def release(self) -> None:
        """Release the network and the features of views; samples, their features and the fit are kept."""
        self.features.release()
        self._untaught_view = None

    def prepare(self) -> bool:
        """Compute one more of the windows over the raster that keep the map beyond the view as it is.

        Returns:
            Whether there was one; False before the first view.
        """
        if not self.features.is_open or self.features.has_overview:
            return False
        self.features.add_to_overview()
        return True

    @property
    def scheme(self) -> ClassScheme:
        """Classes in the order of the output channels, new ones last."""
        return self.history.current.scheme(self.job.bundle.metadata.scheme)

    def describe(self) -> Opened:
        """Return raster and model."""
        job, grid = self.job, self.job.source.grid
        return Opened(
            model=job.bundle.metadata.name,
            classes=tuple(_described(entry) for entry in self.scheme.classes),
            height=grid.height,
            width=grid.width,
            crs=None if grid.crs is None else grid.crs.to_wkt(),
            transform=tuple(drawn_transform(grid))[:6],
            notes=(*job.source.notes, *job.plan.notes),
            warnings=(*job.source.warnings, *job.plan.warnings),
        )

    def view(self, request: ViewRequest, monitor: Monitor) -> ViewResult:
        """Classify a part of the raster and write it as small rasters.

        Raises:
            GeoreferenceError: if the extent misses the raster.
            RequestError: if the view is too large.
            RasterReadError: if the raster was replaced.
            RunCancelled: if the monitor cancels.
        """
        started = time.perf_counter()
        check_unchanged(self._inputs)
        job, store = self.job, self.features.store()
        grid = replace(job.source.grid, transform=drawn_transform(job.source.grid))
        window = grid.window(request.extent)
        before = store.computed
        view = self._classify(store, self.history.current.head, window, monitor)
        pixels = np.bincount(view.classes.ravel(), minlength=256)
        changed = self._changed(store, view, monitor)
        size = None if request.pixel_size is None else request.pixel_size
        step = 1 if size is None else max(round(size / abs(grid.transform.a or grid.transform.b)), 1)
        part = Grid(window.height, window.width, grid.transform @ Affine.translation(window.col, window.row), grid.crs)
        shown = coloured(self.scheme, self._options.colours)
        height, width = write_view(request.output, view.classes, part, step, shown)
        if request.confidence is not None:
            write_view(request.confidence, view.confidence, part, step, None)
        return ViewResult(
            output=request.output,
            confidence=request.confidence,
            height=height,
            width=width,
            pixels={entry.name: int(pixels[entry.id]) for entry in self.scheme.entries},
            changed=changed,
            computed=store.computed - before,
            windows=view.windows,
            seconds=round(time.perf_counter() - started, 3),
        )

    def probe(self, request: ProbeRequest, monitor: Monitor) -> Probed:
        """Return the probabilities of the classes at a place; none outside of the raster and without data.

        Raises:
            RunCancelled: if the monitor cancels.
        """
        job, grid = self.job, self.job.source.grid
        col, row = (math.floor(value) for value in ~drawn_transform(grid) @ (request.x, request.y))
        if not (0 <= row < grid.height and 0 <= col < grid.width):
            return Probed({})
        head = self.history.current.head
        found, valid, _ = blended_probabilities(
            job, self.features.store(), self.features.weights, head, Window(row, col, 1, 1), monitor
        )
        if not valid[0, 0]:
            return Probed({})
        shares = found[:, 0, 0] / found[:, 0, 0].sum()
        return Probed({entry.name: round(float(share), 4) for entry, share in zip(self.scheme.classes, shares)})

    def suggest(self, request: SuggestRequest, monitor: Monitor) -> Suggested:
        """Search the raster for the place that is worth a sample most.

        Raises:
            RasterReadError: if the raster was replaced.
            RunCancelled: if the monitor cancels; the next search continues where this one ended.
        """
        check_unchanged(self._inputs)
        job, state = self.job, self.history.current
        transform, scale = drawn_transform(job.source.grid), job.plan.work.scale
        visited = [(row / scale[0], col / scale[1]) for col, row in (~transform @ (x, y) for x, y in request.visited)]
        labelled = np.concatenate([np.empty((0, 2), np.intp), *(one.cells for one in state.samples.values())])
        found = self._survey.search(self.features.store(), state.head, labelled, visited, monitor)
        counts = self._survey.searched, len(job.plan.tiles)
        if found is None:
            return Suggested((), 0.0, None, False, *counts)
        rows = [found.window.rows.start * scale[0], found.window.rows.stop * scale[0]]
        cols = [found.window.cols.start * scale[1], found.window.cols.stop * scale[1]]
        corners = [transform @ (col, row) for col in cols for row in rows]
        xs, ys = zip(*corners, strict=True)
        return Suggested(
            extent=(min(xs), min(ys), max(xs), max(ys)),
            confidence=round(100 * found.confidence, 1),
            novelty=None if found.novelty is None else round(found.novelty, 1),
            is_novel=found.is_novel,
            searched=counts[0],
            windows=counts[1],
        )

    def teach(self, request: TeachSamples, monitor: Monitor) -> TeachState:
        """Add, replace and remove samples, and fit the last layers to all of them.

        Raises:
            RequestError: if a sample is not on the raster, or an id is unknown; nothing is changed then.
            ClassSchemeError: if a class is unknown or a new one is invalid.
            RunCancelled: if the monitor cancels; nothing is changed then.
        """
        transform = drawn_transform(self.job.source.grid)
        samples = [sample_of(SampleSpec.from_json(value), transform) for value in request.samples]
        new_classes = [class_of(value) for value in request.classes]
        return self.teach_samples(samples, request.remove, new_classes, monitor)

    def teach_samples(
        self,
        samples: Sequence[Sample],
        remove: Sequence[str],
        new_classes: Sequence[LandCoverClass],
        monitor: Monitor,
    ) -> TeachState:
        """Do :meth:`teach` with samples in pixel coordinates."""
        started = time.perf_counter()
        check_unchanged(self._inputs)
        state, source = self.history.current, self.job.bundle.metadata.scheme
        known = state.scheme(source).classes
        added = tuple(entry for entry in new_classes if entry not in known)
        classes = (*state.new_classes, *added)
        scheme = ClassScheme((*source.classes, *classes), source.unlabeled)
        unknown = [name for name in remove if name not in state.samples]
        if unknown:
            raise RequestError(
                tr("There is no sample '{name}' to remove.", name=unknown[0]), tr("Remove samples that were added.")
            )
        for sample in samples:
            if sample.class_id not in scheme.ids:
                raise ClassSchemeError(
                    tr(
                        "The sample '{name}' has the class {id}, which the model does not have.",
                        name=sample.id,
                        id=sample.class_id,
                    ),
                    tr(
                        "Use one of {names}, or add a class.",
                        names=joined(f"{entry.id} {entry.name}" for entry in scheme.classes),
                    ),
                )
        if not self.features.is_open:  # before any view, such as after a restart: there is no time to prepare
            self.features.add_overview(monitor)
        placed = {sample.id: self.features.place(sample, monitor) for sample in samples}
        return self.teach_placed(placed, remove, classes, started)

    def teach_placed(
        self,
        placed: Mapping[str, PlacedSample],
        remove: Sequence[str],
        classes: tuple[LandCoverClass, ...],
        started: float,
    ) -> TeachState:
        """Do :meth:`teach` with samples whose features are known.

        Args:
            placed: Samples to add or replace, by id.
            remove: Ids of samples to remove.
            classes: All classes that the model does not have.
            started: When the step began, for its time.
        """
        source = self.job.bundle.metadata.scheme
        merged = {name: one for name, one in self.history.current.samples.items() if name not in remove}
        merged |= placed
        scheme = ClassScheme((*source.classes, *classes), source.unlabeled)
        first = self.history.states[0].head.with_new_classes(len(classes))
        head = fit_head(first, taught_pixels(merged, scheme.ids), self.features.anchor_pixels(merged))
        self.history.add(Lesson(merged, classes, head))
        return self._state(started)

    def undo(self) -> TeachState:
        """Take back the last step.

        Raises:
            RequestError: if there is none.
        """
        return self._move(-1, self.history.can_undo, "undo")

    def redo(self) -> TeachState:
        """Do a step again that was taken back.

        Raises:
            RequestError: if there is none.
        """
        return self._move(1, self.history.can_redo, "redo")

    def agreement(self, monitor: Monitor, least: int = 2) -> Agreement:
        """Return how well samples agree with the model before teaching, and with fits that left them out.

        Args:
            monitor: Receives progress; may cancel.
            least: Smallest number of samples; ``after`` needs two.

        Raises:
            RequestError: with fewer samples.
            RunCancelled: if the monitor cancels.
        """
        state = self.history.current
        if self._judged is not None and self._judged[0] is state:
            return self._judged[1]
        if len(state.samples) < least:
            raise RequestError(
                tr(
                    "The agreement needs at least {least} samples, there are {count}.",
                    least=least,
                    count=len(state.samples),
                ),
                tr("Draw more samples."),
            )
        scheme = self.scheme
        taught = taught_pixels(state.samples, scheme.ids)
        head = self._untaught(state)
        after = cross_validate(head, taught, self.features.anchor_pixels(state.samples), monitor)
        before = [correct_share(head, one) for one in taught]
        names = [scheme.classes[one.index].name for one in taught]
        found = Agreement(
            before=float(np.mean(before)),
            after=float(np.mean(after)),
            samples=len(taught),
            classes=mean_by_name(after, names),
            classes_before=mean_by_name(before, names),
        )
        self._judged = state, found
        return found

    def save(self, request: SaveModel, monitor: Monitor) -> Saved:
        """Write the taught model, with the number of samples of each class and the agreement in its provenance.

        Args:
            request: The file.
            monitor: Receives progress; may cancel.

        Raises:
            RequestError: without samples.
            BundleError: if the file cannot be written.
            RunCancelled: if the monitor cancels.
        """
        state, bundle = self.history.current, self.job.bundle
        if not state.samples:
            raise RequestError(tr("There are no samples, so there is nothing to save."), tr("Draw samples first."))
        facts: dict[str, object] = {
            "samples": state.counts(bundle.metadata.scheme),
            "pixels": sum(len(one.pixels) for one in state.samples.values()),
            "raster": os.path.basename(self.job.request.input),
        }
        if len(state.samples) > 1:
            found = self.agreement(monitor)
            facts["agreement"] = {"before": round(found.before, 4), "after": round(found.after, 4)}
        digest = save_taught(request.output, bundle, state.head, self.scheme, facts, request.title, request.overwrite)
        return Saved(request.output, digest)

    def _classify(self, store: FeatureStore, head: Head, window: Window, monitor: Monitor) -> View:
        decision = ClassDecision(self.scheme, self._options.min_confidence)
        return classify(self.job, store, self.features.weights, head, decision, window, monitor)

    def _changed(self, store: FeatureStore, view: View, monitor: Monitor) -> float:
        """Return the share of the valid pixels of a view whose class differs from that before teaching."""
        state = self.history.current
        valid = view.classes > 0
        if not state.samples:
            self._untaught_view = view
        if not state.samples or not valid.any():
            return 0.0
        old = self._untaught_view
        if old is None or old.window != view.window:
            old = self._classify(store, self._untaught(state), view.window, monitor)
            self._untaught_view = old
        return float((old.classes != view.classes)[valid].mean())

    def _untaught(self, state: Lesson) -> Head:
        return self.history.states[0].head.with_new_classes(len(state.new_classes))

    def _move(self, steps: int, possible: bool, name: str) -> TeachState:
        started = time.perf_counter()
        if not possible:
            raise RequestError(tr(_NOTHING[name]))
        self.history.position += steps
        return self._state(started)

    def _state(self, started: float) -> TeachState:
        state = self.history.current
        return TeachState(
            samples=tuple(state.samples),
            counts=state.counts(self.job.bundle.metadata.scheme),
            can_undo=self.history.can_undo,
            can_redo=self.history.can_redo,
            seconds=round(time.perf_counter() - started, 3),
            warnings=tuple(contradictions(state.samples, self.job.plan.tiles.width)),
        )


def _described(entry: LandCoverClass) -> dict[str, object]:
    return {"id": entry.id, "name": entry.name, "colour": entry.colour}
