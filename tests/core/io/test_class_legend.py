"""Legends in GDAL's XML and in QGIS's styles."""

import pytest

from dubai_landcover_plugin.core.io.attribute_table import legend_xml
from dubai_landcover_plugin.core.io.class_legend import Named, gdal_legend, legend_scheme, qml_legend
from dubai_landcover_plugin.core.io.qml import class_style
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import ClassSchemeError

PALETTED = """<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
<qgis version="3.22"><pipe><rasterrenderer type="paletted" band="1"><colorPalette>
<paletteEntry value="1" alpha="255" color="#00ff7f" label="Palm"/>
<paletteEntry value="2.0" alpha="255" color="#808080" label="Roof &amp; wall"/>
<paletteEntry value="3.5" alpha="255" color="#808080" label="not an id"/>
</colorPalette></rasterrenderer></pipe></qgis>"""


def sidecar(inside, band=1, kind="PAMRasterBand"):
    return f'<PAMDataset><{kind} band="{band}">{inside}</{kind}></PAMDataset>'


def table(fields, *rows):
    kinds = "".join(
        f"<FieldDefn><Name>{name}</Name><Type>{kind}</Type><Usage>{usage}</Usage></FieldDefn>"
        for name, kind, usage in fields
    )
    listed = "".join("<Row>" + "".join(f"<F>{cell}</F>" for cell in row) + "</Row>" for row in rows)
    return f"<GDALRasterAttributeTable>{kinds}{listed}</GDALRasterAttributeTable>"


def test_the_sidecar_that_is_written_can_be_read():
    assert legend_scheme(gdal_legend(legend_xml(DUBAI, {}))) == DUBAI


def test_category_names_are_numbered_from_0():
    text = sidecar("<CategoryNames><Category/><Category>Palm</Category><Category>Roof</Category></CategoryNames>")
    assert gdal_legend(text) == [Named(0, ""), Named(1, "Palm"), Named(2, "Roof")]
    assert gdal_legend(sidecar("<CategoryNames><Category>no data</Category></CategoryNames>")) == []


@pytest.mark.parametrize(
    "fields",
    [
        [("Value", 0, 5), ("Class", 2, 2)],
        [("VALUE", 0, 0), ("CLASS_NAME", 2, 0)],
        [("lower", 1, 3), ("text", 2, 2)],
    ],
    ids=["by usage", "by name", "lower limits"],
)
def test_attribute_tables_of_other_programs(fields):
    text = sidecar(table(fields, ("4", "Roof"), ("2.0", "Palm"), ("x", "no id")))
    assert gdal_legend(text) == [Named(4, "Roof"), Named(2, "Palm")]


def test_colours_of_an_attribute_table():
    fields = [("Value", 0, 5), ("Name", 2, 2), ("R", 0, 6), ("G", 0, 7), ("B", 0, 8)]
    text = sidecar(table(fields, ("1", "Palm", "0", "255", "16"), ("2", "Roof", "300", "0", "0")))
    assert gdal_legend(text) == [Named(1, "Palm", "#00FF10"), Named(2, "Roof", "")]


def test_tables_without_names_and_other_bands_are_no_legend():
    assert gdal_legend(sidecar(table([("Value", 0, 5), ("Count", 0, 1)], ("1", "12")))) == []
    names = "<CategoryNames><Category/><Category>Palm</Category></CategoryNames>"
    assert gdal_legend(sidecar(names, band=2)) == []
    assert gdal_legend(sidecar(names, kind="VRTRasterBand")) == [Named(0, ""), Named(1, "Palm")]
    assert gdal_legend("<PAMDataset/>") == []


def test_a_style_of_a_raster_and_one_of_polygons():
    assert qml_legend(PALETTED) == [Named(1, "Palm", "#00FF7F"), Named(2, "Roof & wall", "#808080")]
    assert legend_scheme(qml_legend(class_style(DUBAI))) == DUBAI
    assert qml_legend("<qgis/>") == []


def test_classes_of_a_legend():
    listed = [Named(3, "Roof"), Named(1, "Palm", "#00FF7F"), Named(0, "No data"), Named(2, " ")]
    scheme = legend_scheme(listed, {3: "#112233"})
    assert [(entry.id, entry.name, entry.colour) for entry in scheme.entries] == [
        (1, "Palm", "#00FF7F"),
        (3, "Roof", "#112233"),
        (254, "Unlabeled", "#9B9B9B"),
    ]
    generated = legend_scheme([Named(1, "a"), Named(2, "b"), Named(9, "Unlabelled")])
    assert len({entry.colour for entry in generated.entries}) == 3
    assert (generated.unlabeled.id, generated.ids) == (9, (1, 2))


@pytest.mark.parametrize(
    ("legend", "words"),
    [
        ([], "at least one class"),
        ([Named(1, "a"), Named(2, "a")], "names must differ"),
        ([Named(523, "Moor")], "must be 1 to 254, got 523"),
    ],
)
def test_legends_that_are_not_classes_are_refused(legend, words):
    with pytest.raises(ClassSchemeError, match=words):
        legend_scheme(legend)


@pytest.mark.parametrize("read", [gdal_legend, qml_legend])
def test_damaged_and_expanding_xml_is_refused(read):
    with pytest.raises(ClassSchemeError, match="not valid XML"):
        read("<PAMDataset>")
    with pytest.raises(ClassSchemeError, match="XML entities"):
        read('<!DOCTYPE a [<!ENTITY b "x">]><a>&b;</a>')
