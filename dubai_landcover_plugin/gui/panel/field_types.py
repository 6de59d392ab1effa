"""Types of attributes: of ``QVariant`` under Qt 5, of ``QMetaType`` under Qt 6."""

from __future__ import annotations

from typing import Any

from qgis.PyQt.QtCore import QMetaType, QVariant

_IS_QT5 = hasattr(QVariant, "String")
TEXT: Any = getattr(QVariant, "String") if _IS_QT5 else QMetaType.Type.QString  # noqa: B009 (Qt 6 has no such name)
REAL: Any = getattr(QVariant, "Double") if _IS_QT5 else QMetaType.Type.Double  # noqa: B009
TIME: Any = getattr(QVariant, "DateTime") if _IS_QT5 else QMetaType.Type.QDateTime  # noqa: B009
