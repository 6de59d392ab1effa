"""Charts and photographs inside a page."""

import base64
import io
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from dubai_landcover_plugin.core.html.images import chart, jpeg_uri, literal


def figure(title="Loss"):
    made = Figure()
    axes = made.subplots()
    axes.plot([1, 2], [3, 4])
    axes.set_title(title)
    return made


def test_a_chart_is_one_svg_element_with_an_escaped_name():
    svg = chart(figure(), 'a <b> & "c"')
    assert svg.startswith('<svg role="img" aria-label="a &lt;b&gt; &amp; &#34;c&#34;"')
    root = ElementTree.fromstring(svg)
    assert root.get("aria-label") == 'a <b> & "c"'
    assert "DOCTYPE" not in svg


def test_texts_of_a_figure_are_escaped():
    ElementTree.fromstring(chart(figure("<script>&"), "t"))
    assert "<script>" not in chart(figure("<script>&"), "t")


def test_a_chart_has_no_date():
    assert "<dc:date>" not in chart(figure(), "t")
    assert "Matplotlib v" not in chart(figure(), "t")


def test_a_photograph_comes_back_nearly_as_it_was():
    pixels = np.full((16, 24, 3), (200, 90, 40), np.uint8)
    start, _, data = jpeg_uri(Image.fromarray(pixels)).partition(",")
    assert start == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.size == (24, 16)
        assert np.abs(np.asarray(image).astype(int) - pixels).max() < 8


@pytest.mark.parametrize(("text", "expected"), [("a $x^2$", r"a \$x^2\$"), ("plain", "plain")])
def test_dollars_do_not_start_formulas(text, expected):
    assert literal(text) == expected
    figure(literal("$\\frac{$")).savefig(io.BytesIO(), format="svg")
