"""The CRS that a file declares."""

from __future__ import annotations

import re

from rasterio.crs import CRS

_UNDEFINED = re.compile(r'\w+\["(GCS_)?Undefined[ _]((geographic|Cartesian)[ _])?SRS', re.IGNORECASE)


def declared_crs(crs: CRS | str | None) -> CRS | None:
    """Return the CRS that a file declares; None where it declares none, or an undefined one.

    GDAL 3.3 to 3.8 marks layers without a CRS in GeoPackages as "Undefined geographic SRS" (``srs_id`` 0) or "Undefined
    Cartesian SRS" (-1), which reads as a CRS in degrees or metres; later versions write "Undefined SRS" (99999). Copies
    in other formats keep the name.

    Args:
        crs: A CRS, WKT, or a text such as ``EPSG:32640``; None or empty for none.

    Raises:
        CRSError: if the text is not a CRS.

    Source: OGC 12-128r19, GeoPackage Encoding Standard 1.4, requirement 11 (``srs_id`` -1 and 0).
    """
    if not crs:
        return None
    parsed = CRS.from_user_input(crs)
    return None if _UNDEFINED.match(parsed.to_wkt()) else parsed
