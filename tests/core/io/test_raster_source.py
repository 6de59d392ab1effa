import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp, Resampling
from rasterio.windows import Window as RasterioWindow

from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.raster_source import RasterSource
from dubai_landcover_plugin.core.io.source_dataset import SourceOptions
from dubai_landcover_plugin.protocol.errors import BandError, GeoreferenceError, RasterOpenError, RasterReadError
from tests.factories import ONE_METRE, random_pixels, write_raster

RGB = ("red", "green", "blue")
ALL = Window(0, 0, 12, 10)


def read(path, options=None, window=ALL):
    with RasterSource(str(path), RGB, options) as source:
        return source.read(window), source


def test_bands_follow_the_colour_interpretation(raster):
    pixels = random_pixels(12, 10, bands=4)
    order = (ColorInterp.blue, ColorInterp.alpha, ColorInterp.red, ColorInterp.green)
    pixels[1] = 255
    chip, source = read(raster(pixels, colorinterp=order))
    assert source.bands == (3, 4, 1)
    assert (chip.values == pixels[[2, 3, 0]]).all()
    assert chip.valid.all()
    assert source.notes == ["Bands 3, 4, 1 are read as red, green, blue, by colour interpretation."]
    assert source.warnings == []


def test_bands_without_interpretation_are_taken_in_order_and_told(raster):
    gray = (ColorInterp.gray, *[ColorInterp.undefined] * 3)
    _, source = read(raster(random_pixels(12, 10, bands=4), colorinterp=gray))
    assert source.bands == (1, 2, 3)
    assert "bands 1, 2, 3 were taken" in source.warnings[0]


def test_chosen_bands_win(raster):
    pixels = random_pixels(12, 10)
    chip, _ = read(raster(pixels), SourceOptions(bands=(3, 3, 1)))
    assert (chip.values == pixels[[2, 2, 0]]).all()


def test_too_few_bands_are_listed(raster):
    with pytest.raises(BandError, match=r"has 1 band\(s\): 1 \(gray, uint8\)"):
        read(raster(random_pixels(12, 10, bands=1)))


@pytest.mark.parametrize(("bands", "text"), [((1, 2), "reads 3 bands"), ((1, 2, 9), "Band 9")])
def test_impossible_bands_are_refused(raster, bands, text):
    with pytest.raises(BandError, match=text):
        read(raster(random_pixels(12, 10)), SourceOptions(bands=bands))


def test_transparent_entries_of_a_palette_with_16_bits(raster, tmp_path):
    table = "".join(f'<Entry c1="{10 * i}" c2="2" c3="3" c4="{255 * (i != 1)}"/>' for i in range(3))
    path = tmp_path / "palette.vrt"
    path.write_text(
        '<VRTDataset rasterXSize="3" rasterYSize="1"><VRTRasterBand dataType="UInt16" band="1"><ColorInterp>Palette'
        f"</ColorInterp><ColorTable>{table}</ColorTable><SimpleSource><SourceFilename>"
        f"{raster(np.array([[[1, 2, 0]]], np.uint16))}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    chip, _ = read(path, window=Window(0, 0, 1, 3))
    assert chip.values[0, 0].tolist() == [10, 20, 0]
    assert chip.valid.tolist() == [[False, True, True]]


def test_a_crs_without_a_transform_gives_a_warning(raster):
    _, source = read(raster(random_pixels(12, 10), transform=Affine.identity()))
    assert "a CRS but no transform" in source.warnings[0]


def test_palette_is_expanded(raster):
    path = raster(np.array([[[1, 2, 0]]], np.uint8), photometric="palette", nodata=0)
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {0: (9, 9, 9), 1: (10, 20, 30), 2: (40, 50, 60)})
    chip, source = read(path, window=Window(0, 0, 1, 3))
    assert chip.values[:, 0, :2].T.tolist() == [[10, 20, 30], [40, 50, 60]]
    assert chip.valid.tolist() == [[True, True, False]]
    assert source.dtype == np.uint8


class TestValidity:
    def test_nodata_counts_only_where_all_bands_have_it(self, raster):
        pixels = random_pixels(12, 10)
        pixels[:, 0, 0] = 0
        pixels[0, 0, 1] = 0  # a dark pixel is still a pixel
        chip, _ = read(raster(pixels, nodata=0))
        assert not chip.valid[0, 0]
        assert chip.valid.sum() == 119

    def test_alpha(self, raster):
        pixels = random_pixels(12, 10, bands=4)
        pixels[3] = 255
        pixels[3, :5] = 0
        chip, _ = read(raster(pixels, photometric="RGB", alpha="YES"))
        assert chip.valid.sum() == 70

    def test_internal_mask(self, raster):
        path = raster(random_pixels(12, 10))
        mask = np.full((12, 10), 255, np.uint8)
        mask[:, 0] = 0
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as dataset:
            dataset.write_mask(mask)
        chip, _ = read(path)
        assert (chip.valid == (mask > 0)).all()

    def test_nan_in_any_band(self, raster):
        pixels = random_pixels(12, 10).astype(np.float32)
        pixels[1, 2, 3] = np.nan
        chip, _ = read(raster(pixels))
        assert not chip.valid[2, 3]
        assert chip.valid.sum() == 119

    def test_nodata_of_the_user_comes_on_top(self, raster):
        pixels = random_pixels(12, 10)
        pixels[:, 0, 0], pixels[:, 0, 1] = 0, 255
        chip, _ = read(raster(pixels, nodata=0), SourceOptions(nodata=255))
        assert chip.valid[0].tolist() == [False, False, *[True] * 8]


class TestPlace:
    def test_extent_cuts_whole_pixels(self, raster):
        pixels = random_pixels(12, 10)
        path = raster(pixels)
        options = SourceOptions(extent=(300_002.0, 2_779_990.5, 300_005.0, 2_779_997.0))
        with RasterSource(str(path), RGB, options) as source:
            assert (source.grid.height, source.grid.width) == (7, 3)
            assert (source.grid.transform.c, source.grid.transform.f) == (300_002, 2_779_997)
            chip = source.read(Window(0, 0, 7, 3))
        assert (chip.values == pixels[:, 3:10, 2:5]).all()

    def test_extent_outside_is_refused_with_both_extents(self, raster):
        with pytest.raises(GeoreferenceError, match=r"0, 0, 1, 1 does not touch .* 300000, 2779988, 300010, 2780000"):
            read(raster(random_pixels(12, 10)), SourceOptions(extent=(0, 0, 1, 1)))

    @pytest.mark.parametrize(
        "transform",
        [
            Affine(1, 0, 0, 0, 1, 0),  # would be identity: moved below
            Affine.translation(500, 900) @ Affine.rotation(30),
            Affine(2, 0, 10, 0, 2, 20),
        ],
        ids=["south-up", "rotated", "south-up 2 m"],
    )
    def test_extent_of_the_whole_gives_the_whole(self, raster, transform):
        transform = Affine.translation(7, 7) @ transform
        path = raster(random_pixels(12, 10), transform=transform)
        corners = [transform @ corner for corner in ((0, 0), (10, 0), (0, 12), (10, 12))]
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        _, source = read(path, SourceOptions(extent=(min(xs), min(ys), max(xs), max(ys))))
        assert source.grid.transform.almost_equals(transform)
        assert (source.grid.height, source.grid.width) == (12, 10)

    def test_gsd_in_metres_whatever_the_units(self, raster):
        _, projected = read(raster(random_pixels(12, 10), transform=ONE_METRE @ Affine.scale(0.5)))
        assert projected.grid.gsd() == pytest.approx(0.5)
        degrees = Affine(1e-5, 0, 55, 0, -1e-5, 25)
        _, geographic = read(raster(random_pixels(12, 10), "g.tif", crs="EPSG:4326", transform=degrees))
        assert geographic.grid.gsd() == pytest.approx(1.057, abs=0.002)

    def test_crs_of_the_user_wins(self, raster):
        _, source = read(raster(random_pixels(12, 10)), SourceOptions(crs="EPSG:32639"))
        assert source.grid.crs.to_epsg() == 32639
        with pytest.raises(GeoreferenceError, match="EPSG:0"):
            read(raster(random_pixels(12, 10)), SourceOptions(crs="EPSG:0"))

    def test_no_crs_is_told(self, raster):
        _, source = read(raster(random_pixels(12, 10), crs=None))
        assert source.grid.crs is None
        assert source.grid.gsd() is None
        assert "no CRS" in source.warnings[0]

    def test_ground_control_points_need_a_warp_or_pixel_space(self, raster):
        points = [GroundControlPoint(row, col, 55 + col, 25 - row) for row, col in ((0, 0), (0, 9), (11, 0))]
        path = raster(random_pixels(12, 10), transform=Affine.identity(), crs=None)
        with rasterio.open(path, "r+") as dataset:
            dataset.gcps = points, "EPSG:4326"
        with pytest.raises(GeoreferenceError, match=r"3 ground control points .* Warp it first"):
            read(path)
        _, source = read(path, SourceOptions(pixel_space=True))
        assert source.grid.crs is None
        assert len(source.ground_control_points[0]) == 3


class TestReading:
    @pytest.mark.parametrize("factor", [2.6, 0.31], ids=["coarser", "finer"])
    def test_resampled_windows_agree_with_their_neighbours(self, raster, factor):
        path = raster(random_pixels(120, 100, seed=3))
        with RasterSource(str(path), RGB) as source:
            shape = round(120 / factor), round(100 / factor)
            scale = 120 / shape[0], 100 / shape[1]
            whole = source.read(Window(0, 0, *shape), shape, scale).values
            part = Window(7, 11, 20, 15)
            assert (source.read(part, shape, scale).values == whole[:, part.rows, part.cols]).all()

    @settings(max_examples=40)
    @given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 90), st.integers(0, 90), st.data())
    def test_finer_pixels_are_those_of_gdal(self, tmp_path_factory, height, width, more_rows, more_cols, data):
        shape = height + more_rows, width + more_cols
        row, col = (data.draw(st.integers(0, length - 1)) for length in shape)
        rows, cols = data.draw(st.integers(1, shape[0] - row)), data.draw(st.integers(1, shape[1] - col))
        path = write_raster(tmp_path_factory.mktemp("finer") / "in.tif", random_pixels(height, width, seed=height))
        scale = height / shape[0], width / shape[1]
        with RasterSource(str(path), RGB) as source, rasterio.open(path) as dataset:
            found = source.read(Window(row, col, rows, cols), shape, scale)
            expected = dataset.read(
                window=RasterioWindow(col * scale[1], row * scale[0], cols * scale[1], rows * scale[0]),
                out_shape=(3, rows, cols),
                resampling=Resampling.bilinear,
            )
        differences = np.abs(found.values.astype(int) - expected)
        assert differences.max() <= 1
        assert (differences > 0).mean() <= 0.01
        assert found.valid.all()

    def test_averaging_leaves_nodata_out(self, raster):
        pixels = np.full((3, 4, 4), 100, np.uint8)
        pixels[:, :, :1] = 0
        with RasterSource(str(raster(pixels, nodata=0)), RGB) as source:
            chip = source.read(Window(0, 0, 2, 2), (2, 2), (2.0, 2.0))
        assert (chip.values == 100).all()
        assert chip.valid.all()

    def test_sample_is_small_whatever_the_raster(self, raster):
        path = raster(random_pixels(40, 3000))
        with RasterSource(str(path), RGB) as source:
            assert source.read_sample().values.shape == (3, 14, 1024)

    def test_damaged_block_names_file_and_window(self, raster):
        path = raster(random_pixels(64, 64), tiled=True, blockxsize=16, blockysize=16, compress="deflate")
        content = bytearray(path.read_bytes())
        middle = len(content) // 2
        content[middle : middle + 600] = bytes(600)
        path.write_bytes(content)
        with pytest.raises(RasterReadError, match=r"input.tif cannot be read at rows 0–63, columns 0–63"):
            read(path, window=Window(0, 0, 64, 64))

    @pytest.mark.parametrize("driver", ["PNG", "JPEG"])
    def test_a_file_cut_short_is_refused_instead_of_filled(self, tmp_path, driver):
        path = tmp_path / f"image.{driver.lower()}"
        Image.fromarray(random_pixels(200, 200).transpose(1, 2, 0)).save(path, driver)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises((RasterOpenError, RasterReadError), match="image"):
            read(path, window=Window(0, 0, 200, 200))


@pytest.mark.parametrize("content", [b"", b"not a raster at all"])
def test_what_is_no_raster_is_refused(tmp_path, content):
    path = tmp_path / "thing.tif"
    path.write_bytes(content)
    with pytest.raises(RasterOpenError, match="cannot open"):
        read(path)


def test_complex_numbers_are_refused(raster):
    with pytest.raises(RasterOpenError, match="complex"):
        read(raster(np.ones((3, 12, 10), np.complex64), photometric="MINISBLACK"))


class TestHiddenNodata:
    """Invalid pixels that GDAL does not know of must not be averaged into their neighbours."""

    @pytest.mark.parametrize(("hole", "options"), [(np.nan, None), (7.0, SourceOptions(nodata=7.0))])
    def test_means_are_those_of_the_valid_pixels(self, raster, hole, options):
        pixels = np.full((3, 12, 10), 200, np.float32)
        pixels[:, ::2] = hole
        with RasterSource(str(raster(pixels)), RGB, options) as source:
            chip = source.read(Window(0, 0, 6, 5), (6, 5), (2.0, 2.0))
        assert chip.valid.all()
        assert (chip.values == 200).all()

    def test_means_are_weighted_by_area(self, raster):
        pixels = np.arange(30, dtype=np.float32).reshape(1, 1, 30).repeat(3, axis=0).repeat(4, axis=1)
        with RasterSource(str(raster(pixels)), RGB) as source:
            chip = source.read(Window(0, 0, 2, 12), (2, 12), (2.0, 2.5))
        expected = [0.8, 3.2, 5.8, 8.2]  # (0 + 1 + 2/2) / 2.5, (2/2 + 3 + 4) / 2.5, ...
        assert chip.values[0, 0, :4] == pytest.approx(expected)

    def test_holes_larger_than_a_cell_stay_holes(self, raster):
        pixels = np.full((3, 12, 12), 50, np.float32)
        pixels[:, :6] = np.nan
        with RasterSource(str(raster(pixels)), RGB) as source:
            chip = source.read(Window(0, 0, 4, 4), (4, 4), (3.0, 3.0))
        assert chip.valid.tolist() == [[False] * 4] * 2 + [[True] * 4] * 2


def test_control_points_follow_the_extent(raster):
    points = [GroundControlPoint(row, col, 55 + col, 25 - row) for row, col in ((0, 0), (0, 9), (11, 0))]
    path = raster(random_pixels(12, 10), transform=Affine.identity(), crs=None)
    with rasterio.open(path, "r+") as dataset:
        dataset.gcps = points, "EPSG:4326"
    with RasterSource(str(path), RGB, SourceOptions(pixel_space=True, extent=(4, 6, 9, 11))) as source:
        shifted, _ = source.ground_control_points
    assert [(point.row, point.col, point.x) for point in shifted] == [(-6, -4, 55), (-6, 5, 64), (5, -4, 55)]


def test_part_of_a_raster_without_a_place_lies_where_gis_draw_it(raster):
    path = raster(random_pixels(12, 10), crs=None, transform=Affine.identity())
    with RasterSource(str(path), RGB, SourceOptions(extent=(2, 3, 8, 9))) as source:
        assert source.grid.transform == Affine(1, 0, 2, 0, -1, -3)


def test_a_missing_source_of_a_virtual_raster(raster, tmp_path):
    path = tmp_path / "a.vrt"
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}"><SimpleSource><SourceFilename>{tmp_path}/gone.tif'
        f"</SourceFilename><SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand>"
        for band in (1, 2, 3)
    )
    path.write_text(f'<VRTDataset rasterXSize="10" rasterYSize="12">{bands}</VRTDataset>')
    with pytest.raises(RasterReadError, match=r"gone\.tif: No such file.* is missing: put it back"):
        read(path)


def test_mask_of_a_virtual_raster_counts(raster, tmp_path):
    pixels = random_pixels(12, 10)
    image = raster(pixels)
    mask = raster(np.repeat(np.array([255, 0], np.uint8), 60).reshape(1, 12, 10), "mask.tif")
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}"><ColorInterp>{colour}</ColorInterp>'
        f"<SimpleSource><SourceFilename>{image}</SourceFilename><SourceBand>{band}</SourceBand></SimpleSource>"
        f'<MaskBand><VRTRasterBand dataType="Byte"><SimpleSource><SourceFilename>{mask}</SourceFilename>'
        "<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></MaskBand></VRTRasterBand>"
        for band, colour in enumerate(("Red", "Green", "Blue"), 1)
    )
    path = tmp_path / "masked.vrt"
    path.write_text(f'<VRTDataset rasterXSize="10" rasterYSize="12">{bands}</VRTDataset>')
    with RasterSource(str(path), RGB) as source:
        assert source.read(ALL).valid.sum() == 60
        assert {str(image), str(path)} <= set(source.files)


def test_bands_of_different_types_get_the_widest(raster, tmp_path):
    small, large = raster(random_pixels(12, 10)), raster(np.full((1, 12, 10), 60_000, np.uint16), "large.tif")
    sources = ((small, 1, "Byte", "Red"), (large, 1, "UInt16", "Green"), (small, 2, "Byte", "Blue"))
    bands = "".join(
        f'<VRTRasterBand dataType="{kind}" band="{index}"><ColorInterp>{colour}</ColorInterp><SimpleSource>'
        f"<SourceFilename>{file}</SourceFilename><SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand>"
        for index, (file, band, kind, colour) in enumerate(sources, 1)
    )
    path = tmp_path / "mixed.vrt"
    path.write_text(f'<VRTDataset rasterXSize="10" rasterYSize="12">{bands}</VRTDataset>')
    chip, source = read(path)
    assert source.dtype == chip.values.dtype == np.uint16
    assert (chip.values[1] == 60_000).all()


def test_sample_leaves_out_what_is_nodata_in_one_band(raster):
    pixels = np.full((3, 12, 10), 300, np.int16)
    pixels[0, :3] = -9999
    with RasterSource(str(raster(pixels, nodata=-9999)), RGB) as source:
        sample = source.read_sample()
    assert np.nanmin(sample.values[0]) == 300
    assert sample.valid.all()


class TestFaultsFromOutside:
    """Rasters from public reports that gave wrong classes."""

    def test_nodata_of_all_bands_in_the_metadata(self, raster):
        pixels = random_pixels(12, 10)
        pixels[:, :3] = np.array([255, 0, 255], np.uint8)[:, None, None]
        path = raster(pixels)
        with rasterio.open(path, "r+") as dataset:
            dataset.update_tags(NODATA_VALUES="255 0 255")
        assert read(path)[0].valid.sum() == 90
        with RasterSource(str(path), RGB) as source:
            coarse = source.read(Window(0, 0, 4, 5), (4, 5), (3.0, 2.0))
        assert coarse.valid.sum() == 15

    @pytest.mark.parametrize("tag", [-3.40282e38, None, -9999])
    def test_lowest_float_is_never_a_value(self, raster, tag):
        pixels = np.ones((3, 12, 10), np.float32)
        pixels[:, :3] = np.finfo(np.float32).min
        path = raster(pixels, nodata=tag)
        chip, _ = read(path)
        assert chip.valid.sum() == 90
        with RasterSource(str(path), RGB) as source:
            coarse = source.read(Window(0, 0, 3, 5), (3, 5), (4.0, 2.0))
        assert (coarse.values == 1).all()

    def test_nodata_of_the_user_in_the_type_of_the_bands(self, raster):
        pixels = np.ones((3, 12, 10), np.float32)
        pixels[:, :3] = 0.1
        chip, _ = read(raster(pixels), SourceOptions(nodata=0.1))
        assert chip.valid.sum() == 90
        _, source = read(raster(random_pixels(12, 10)), SourceOptions(nodata=-9999))
        assert source.warnings == ["No pixel of type uint8 has the nodata value -9999."]

    def test_looks_like_nodata(self, raster):
        pixels = random_pixels(300, 300)
        pixels[:, :80] = 255
        with RasterSource(str(raster(pixels)), RGB) as source:
            assert "(--nodata 255)" in source.nodata_warning()
        with RasterSource(str(raster(pixels, nodata=255)), RGB) as source:
            assert source.nodata_warning() is None


class TestAlphaThatIsNone:
    """Near infrared that the file calls alpha."""

    @pytest.fixture
    def path(self, raster):
        pixels = random_pixels(128, 160, bands=4)
        pixels[3, 20:60, 30:90] = 0  # a lake
        return raster(pixels, photometric="RGB", alpha="YES")

    @pytest.mark.parametrize(("alpha", "masked"), [("auto", 0), ("no", 0), ("yes", 2400)])
    def test_option(self, path, alpha, masked):
        with RasterSource(str(path), RGB, SourceOptions(alpha=alpha)) as source:
            chip = source.read(Window(0, 0, 128, 160))
            assert (~chip.valid).sum() == masked
            assert bool(source.warnings) == (alpha == "auto")
            with source.reopen() as again:
                assert (again.read(Window(0, 0, 128, 160)).valid == chip.valid).all()
                assert again.warnings == []

    def test_gdal_does_not_mask_it_in_means(self, path):
        with RasterSource(str(path), RGB) as source:
            coarse = source.read(Window(0, 0, 32, 40), (32, 40), (4.0, 4.0))
            fine = source.read(Window(0, 0, 128, 160))
        means = fine.values.reshape(3, 32, 4, 40, 4).mean((2, 4))
        assert coarse.valid.all()
        assert np.abs(coarse.values - means).max() <= 0.51

    def test_a_second_alpha_band_counts(self, raster):
        pixels = random_pixels(128, 160, bands=5)
        pixels[4] = 255
        pixels[4, :32] = 0
        path = raster(pixels, colorinterp=[ColorInterp[name] for name in (*RGB, "alpha", "alpha")])
        with RasterSource(str(path), RGB) as source, source.reopen() as again:
            assert "Band 4 is called alpha" in source.warnings[0]
            for one in (source, again):
                assert one.read(Window(0, 0, 128, 160)).valid.sum() == 96 * 160
                # GDAL would average the transparent pixels too.
                chip = one.read(Window(0, 0, 1, 1), (1, 1), (128.0, 160.0))
                assert abs(int(chip.values[0, 0, 0]) - pixels[0, 32:].mean()) <= 0.5

    def test_as_a_band(self, path):
        with RasterSource(str(path), ("nir", "red", "green"), SourceOptions(bands=(4, 1, 2))) as source:
            assert source.read(Window(0, 0, 128, 160)).valid.all()
            assert source.warnings == []

    def test_as_a_band_of_the_training_rasters(self, path):
        with RasterSource(str(path), ("band 4", "red", "green"), SourceOptions(trained=(4, 1, 2))) as source:
            assert source.bands == (4, 1, 2)
            assert source.read(Window(0, 0, 128, 160)).valid.all()
            with source.reopen() as again:
                assert again.bands == (4, 1, 2)


def test_transparency_is_not_a_band_of_the_training_rasters(raster):
    pixels = random_pixels(128, 160, bands=4)
    pixels[3] = 255
    pixels[3, :32] = 0
    path = raster(pixels, colorinterp=[ColorInterp[name] for name in (*RGB, "alpha")])
    with pytest.raises(BandError, match="band 4, which is transparency"):
        RasterSource(str(path), ("band 4", "red", "green"), SourceOptions(trained=(4, 1, 2)))


def test_a_palette_lacks_the_bands_of_other_models(raster):
    path = raster(np.array([[[1, 2, 0]]], np.uint8), photometric="palette", nodata=0)
    with pytest.raises(BandError, match="nir, red, green"):
        RasterSource(str(path), ("nir", "red", "green"), SourceOptions(trained=(4, 1, 2)))


@pytest.mark.parametrize(
    ("suffix", "content", "text"),
    [
        (".aux.xml", b"<PAMDataset><SRS>http://127.0.0.1:9/crs</SRS></PAMDataset>", "127.0.0.1:9/crs"),
    ],
)
def test_damaged_files_beside_a_raster(raster, suffix, content, text):
    path = raster(random_pixels(12, 10))
    path.with_name(path.name + suffix).write_bytes(content)
    with pytest.raises(RasterOpenError, match=f"{text}.* a file beside it"):
        read(path)


@pytest.mark.parametrize(("constant", "found"), [((), []), ((1,), [2]), ((0, 1, 2), [])])
def test_constant_bands(raster, constant, found):
    pixels = random_pixels(70, 80)
    pixels[list(constant)] = 9
    pixels[:, :5] = 0
    with RasterSource(str(raster(pixels, nodata=0)), RGB) as source:
        assert source.constant_bands() == found
