"""The tab Teach: tools, classes and samples."""

from __future__ import annotations

from collections.abc import Mapping

from qgis.PyQt.QtWidgets import QHBoxLayout, QLabel, QPushButton, QToolButton, QWidget

from dubai_landcover_plugin.gui.panel.draw_tab import DrawTab, Row, ToolButton, polygon_layer_box
from dubai_landcover_plugin.gui.panel.sample_tool import LINE, POINT, POLYGON
from dubai_landcover_plugin.gui.panel.samples import Sample
from dubai_landcover_plugin.protocol.requests.session import Agreement
from dubai_landcover_plugin.protocol.translation import tr


class TeachTab(DrawTab):
    """Widgets of teaching; what they do is up to the panel."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            (
                ToolButton(
                    POINT,
                    "/mActionCapturePoint.svg",
                    tr("Point"),
                    tr("Click on places of the class; a circle of the brush's width is taken"),
                ),
                ToolButton(
                    LINE,
                    "/mActionCaptureLine.svg",
                    tr("Brush"),
                    tr("Drag over places of the class; a click takes a circle"),
                ),
                ToolButton(
                    POLYGON,
                    "/mActionCapturePolygon.svg",
                    tr("Polygon"),
                    tr("Click the corners of an area; a right click closes it"),
                ),
            ),
            (tr("Key"), tr("Class"), tr("Samples"), tr("Agree")),
            ("", tr("Sample"), tr("Tool"), tr("Time")),
            parent,
        )
        self.classes.setToolTip(tr("Class of the next samples; number keys choose, too"))
        self.layer = polygon_layer_box(tr("New with the first sample"), tr("Layer that keeps the samples"))
        self.new_layer = QToolButton()
        self.new_layer.setText("…")
        self.new_layer.setToolTip(tr("Choose or make a GeoPackage for the samples"))
        self.new_class = QPushButton(tr("New class…"))
        self.next = QPushButton(tr("Where should I label next?"))
        self.next.setToolTip(
            tr("Goes to the place of the raster where the model is least certain or the ground is new to it")
        )
        self.agreement = QLabel()
        self.agreement.setToolTip(
            tr("Share of a sample's pixels that have its class: before teaching, and in a fit without that sample")
        )
        self.change = QLabel()
        self.show_agreement(None)
        classes = QHBoxLayout()
        classes.addWidget(self.new_class)
        classes.addStretch(1)
        classes.addWidget(self.change)
        agreement = QHBoxLayout()
        agreement.addWidget(self.agreement)
        store = QHBoxLayout()
        store.addWidget(QLabel(tr("Samples in")))
        store.addWidget(self.layer, 1)
        store.addWidget(self.new_layer)
        self.arrange((classes, agreement), (self.next,), (store,))

    def set_samples(
        self, samples: Mapping[str, Sample], problems: Mapping[str, str], colours: Mapping[str, str]
    ) -> None:
        """List the samples, the newest first."""
        ordered = sorted(enumerate(samples.items(), 1), key=lambda one: (one[1][1].time, one[0]), reverse=True)
        tools = {button.property("kind"): button.text() for button in self.tools.buttons()}
        rows = {}
        for number, (name, sample) in ordered:
            texts = (str(number), sample.class_name, tools.get(sample.tool, ""), sample.time.replace("T", " ")[-8:])
            colour = colours.get(sample.class_name, sample.colour or "#808080")
            rows[name] = Row(texts, colour, problems.get(name, ""))
        self.show_rows(rows)

    def show_search(self, searching: bool) -> None:
        """Show whether the raster is being searched for the next place."""
        self.next.setText(tr("Stop searching") if searching else tr("Where should I label next?"))

    def show_agreement(self, found: Agreement | None) -> None:
        """Show the result of the cross-validation; None for no result.

        A class with one sample has no share: the fit without the sample does not know its class.
        """
        for number in range(self.classes.topLevelItemCount()):
            item = self.classes.topLevelItem(number)
            share = None if found is None or item.text(2) in ("0", "1") else found.classes.get(item.text(1))
            item.setText(3, "" if share is None else f"{100 * share:.0f} %")
        if found is None:
            self.agreement.setText("\n")  # as high as the result
            return
        self.agreement.setText(
            tr(
                "Agreement with {n} samples: {before} before,\n{after} after teaching (cross-validation)",
                n=found.samples,
                before=f"{100 * found.before:.0f} %",
                after=f"{100 * found.after:.0f} %",
            )
        )
