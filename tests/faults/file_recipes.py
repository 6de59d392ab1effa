"""Files: odd names, files of the user's beside results, layers, links and environments."""

from __future__ import annotations

import csv
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import shapely

from tests.factories import write_layer
from tests.faults.contents import content, files_of
from tests.faults.jobs import EAST, NORTH, segment_words
from tests.faults.recipes import Place, recipe, segment_on


def _side_files(place: Place, stem: str, suffixes: tuple[str, ...]) -> dict[str, bytes]:
    files = {f"{stem}{suffix}": f"the user's {suffix}".encode() for suffix in suffixes}
    for name, text in files.items():
        (place.out / name).write_bytes(text)
    return files


def _unchanged(place: Place, files: dict[str, bytes]) -> bool:
    return all((place.out / name).exists() and (place.out / name).read_bytes() == text for name, text in files.items())


@recipe
def side_files_of_the_user(place: Place) -> None:
    """What a new result would take over is named before work; what it does not need is left alone."""
    mine = {
        "shp": (".qmd", ".dbf", ".prj", ".cpg", ".qix", ".sbn", ".qml", ".tif", ".tif.aux.xml"),
        "geojson": (".qml", ".qmd", ".tif"),
        "gpkg": (".qml", ".qmd", ".tif", ".gpkg-wal", ".gpkg-journal"),
    }
    for suffix, suffixes in mine.items():
        for chosen in ([part] for part in suffixes):
            for overwrite in ((), ("--overwrite",)):
                shutil.rmtree(place.out)
                place.out.mkdir()
                files = _side_files(place, "town", tuple(chosen))
                done = place.run("polygons", "in/map.tif", f"out/town.{suffix}", *overwrite)
                if done.code:
                    assert chosen[0] in done.output, f"{chosen} is not named: {done.output[-300:]}"
                if not overwrite or chosen[0] in (".qmd", ".tif", ".tif.aux.xml"):
                    assert _unchanged(place, files), f"town.{suffix} {overwrite}: {chosen} of the user changed"
    for part in (".aux.xml", ".ovr", ".msk"):
        shutil.rmtree(place.out)
        place.out.mkdir()
        files = _side_files(place, "o.tif", (part,))
        done = place.run(*segment_words())
        assert _unchanged(place, files), f"o.tif{part} of the user changed"
        assert done.code == 1, f"o.tif with {part} of the user's"


ODD_NAMES = (
    "Dubai 2024 final!",
    "a;b",
    "!",
    "a!b!c",
    "100 %",
    "zip+file",
    "ä'\"#?&",
    "a:b",
    "@x",
    "[1]",
    "a|b",
    "$HOME",
)


@recipe
def odd_names_of_vector_files(place: Place) -> None:
    """Any legal name: the file is at that path with the same features, or refused with nothing left."""
    for suffix in ("shp", "gpkg", "fgb", "geojson", "parquet"):
        for name in ODD_NAMES:
            shutil.rmtree(place.out)
            place.out.mkdir()
            done = place.run("polygons", "in/map.tif", f"out/{name}.{suffix}")
            found = files_of(place.out)
            if done.code:
                assert not found, f"{name}.{suffix}: {found} are left: {done.output[-300:]}"
                continue
            assert f"{name}.{suffix}" in found, f"{name}.{suffix} is not there, but {found}"
            assert not [other for other in found if not other.startswith(name)], f"{name}.{suffix}: {found}"
            for path in [place.out / other for other in found]:  # under a plain name GDAL reads them for certain
                path.rename(place.out / f"plain{path.name.removeprefix(name)}")
            assert not content(place.out / f"plain.{suffix}").startswith("unreadable"), f"{name}.{suffix}"


@recipe
def odd_folders(place: Place) -> None:
    """The same for folders, and for every output of a segmentation."""
    for name in ODD_NAMES[:6]:
        (place.out / name).mkdir()
        outputs = ("--polygons", f"out/{name}/p.gpkg", "--roads", f"out/{name}/r.shp", "--report", f"out/{name}/o.html")
        words = list(segment_words("--buildings", f"out/{name}/b.fgb", *outputs))
        words[2] = f"out/{name}/o.tif"
        done = place.run(*words)
        found = files_of(place.out / name)
        assert {"p.gpkg", "r.shp", "b.fgb", "o.html", "o.tif"} <= set(found) if done.code == 0 else not found, name
        shutil.rmtree(place.out / name)


@recipe
def odd_names_of_inputs(place: Place) -> None:
    """Layers and rasters are read under any legal name, or refused."""
    place.succeed("report", "in/map.tif", "out/o.html", "--csv", "out/right.csv", "--zones", "in/zones.gpkg")
    for name in ODD_NAMES:
        shutil.copy(place.inputs / "zones.gpkg", place.inputs / f"{name}.gpkg")
        words = ("report", "in/map.tif", "out/o.html", "--csv", "out/o.csv", "--overwrite")
        done = place.run(*words, "--zones", f"in/{name}.gpkg")
        assert done.code or content(place.out / "o.csv") == content(place.out / "right.csv"), name
        shutil.copy(place.inputs / "image.tif", place.inputs / f"{name}.tif")
        place.succeed(*segment_on(Path("in") / f"{name}.tif"))


@recipe
def zones_of_an_undefined_crs(place: Place) -> None:
    """GDAL 3.3 to 3.8 write layers without CRS as 'Undefined geographic SRS': they are not in degrees."""
    words = ("report", "in/map.tif", "out/o.html", "--csv", "out/o.csv", "--overwrite", "--zones", "in/zones.gpkg")
    path, found = place.inputs / "zones.gpkg", []
    for identifier in (-1, 0):
        with closing(sqlite3.connect(path)) as package, package:
            package.execute("UPDATE gpkg_contents SET srs_id = ? WHERE table_name = 'zones'", (identifier,))
            package.execute("UPDATE gpkg_geometry_columns SET srs_id = ?", (identifier,))
            package.execute("UPDATE gpkg_contents SET min_x = 1, min_y = 1, max_x = 1, max_y = 1")
        done = place.run(*words)
        found.append((done.code, content(place.out / "o.csv") if done.code == 0 else done.output))
    assert found[0] == found[1]


@recipe
def surfaces_as_zones(place: Place) -> None:
    """Triangulated and curved surfaces are refused or counted."""
    triangle = shapely.Polygon([(EAST, NORTH), (EAST + 60, NORTH), (EAST, NORTH - 60)])
    write_layer(place.inputs / "tin.gpkg", [triangle], name=np.array(["roof"], object))
    with closing(sqlite3.connect(place.inputs / "tin.gpkg")) as package, package:
        for (name,) in package.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            package.execute(f'DROP TRIGGER "{name}"')  # they call functions of GDAL
        (blob,) = package.execute("SELECT geom FROM tin").fetchone()
        at = len(blob) - len(shapely.to_wkb(triangle))
        patch = b"\x01\x11\x00\x00\x00" + blob[at + 5 :]  # a triangle
        for kind, body in ((16, patch), (15, blob[at:]), (10, blob[at:])):  # TIN, polyhedral surface, curve polygon
            count = b"\x01\x00\x00\x00" if kind != 10 else b""
            whole = b"\x01" + kind.to_bytes(4, "little") + count + (body if kind != 10 else blob[at + 5 :])
            package.execute("UPDATE tin SET geom = ?", (blob[:at] + whole,))
            package.commit()
            place.run("report", "in/map.tif", "out/o.html", "--overwrite", "--zones", "in/tin.gpkg")
            place.run("buildings", "in/tin.gpkg", "out/b.gpkg", "--overwrite")


@recipe
def a_damaged_file_among_the_models(place: Place) -> None:
    """It is named; the other models are listed."""
    models = place.folder / "models"
    models.mkdir()
    shutil.copy(place.inputs / "town.onnx", models / "good.onnx")
    (models / "broken.safetensors").write_bytes(b"\x10" + bytes(30))
    (models / "broken.onnx").write_bytes(b"\xff" * 40)
    text = place.run("models", prepare=lambda: os.environ.update(DUBAI_LANDCOVER_MODELS=str(models))).output
    assert "dubai" in text, text


@recipe
def things_that_are_not_files(place: Place) -> None:
    """Folders, pipes and links as rasters, models and outputs: refused, or used without waiting."""
    os.mkfifo(place.inputs / "pipe.tif")
    os.mkfifo(place.inputs / "pipe.onnx")
    (place.inputs / "loop.tif").symlink_to("loop.tif")
    (place.inputs / "dangling.onnx").symlink_to("nowhere.onnx")
    (place.inputs / "folder.tif").mkdir()
    for name in ("pipe.tif", "loop.tif", "folder.tif", "missing.tif"):
        place.refuse(*segment_on(place.inputs / name))
        place.refuse("polygons", f"in/{name}", "out/p.gpkg")
    for name in ("pipe.onnx", "dangling.onnx"):
        place.refuse(*segment_words(model=f"in/{name}"))
    place.refuse("report", "in/map.tif", "out/o.html", "--zones", "in/pipe.tif")
    (place.folder / "elsewhere.tif").write_bytes((place.inputs / "map.tif").read_bytes())
    (place.out / "o.tif").symlink_to("../elsewhere.tif")
    done = place.run(*segment_on(place.inputs / "image.tif"))
    assert done.code or (place.out / "o.tif").is_symlink(), "the link is replaced by a file"


@recipe
def text_that_spreadsheets_run(place: Place) -> None:
    """Cells of tables do not begin with a formula."""
    zones = [shapely.box(EAST, NORTH - 50, EAST + 60, NORTH)] * 4
    names = np.array(["=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(A1)"], object)
    write_layer(place.inputs / "formulas.gpkg", zones, name=names)
    place.succeed("report", "in/map.tif", "out/o.html", "--csv", "out/o.csv", "--zones", "in/formulas.gpkg")
    with (place.out / "o.csv").open(newline="") as stream:
        cells = [cell for row in csv.reader(stream) for cell in row]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "@") or cell == "-2"]


@recipe
def environments(place: Place) -> None:
    """No home, no locale, a full standard error."""
    words = segment_on(place.inputs / "image.tif", runtime="openvino")

    def without(*names: str) -> Callable[[], None]:
        return lambda: [os.environ.pop(name, None) for name in ("DUBAI_LANDCOVER_CACHE", *names)] and None

    for names in (("HOME",), ("HOME", "PATH", "LANG", "USER", "LOGNAME")):
        place.succeed(*words, prepare=without(*names))

    def full() -> None:
        os.dup2(os.open("/dev/full", os.O_WRONLY), 2)

    place.succeed(*words, prepare=full)
