"""Types of attributes: of ``QVariant`` under Qt 5, of ``QMetaType`` under Qt 6."""

from __future__ import annotations

from typing import Any

from qgis.PyQt.QtCore import QMetaType, QVariant

TEXT: Any = getattr(QVariant, "String", QMetaType.Type.QString)
REAL: Any = getattr(QVariant, "Double", QMetaType.Type.Double)
TIME: Any = getattr(QVariant, "DateTime", QMetaType.Type.QDateTime)
