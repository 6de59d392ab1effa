"""What computes the network: PyTorch or OpenVINO, behind one interface; which one, is chosen by trying."""

import sys

# OpenVINO sends usage data when it is imported, unless this package of its own cannot be.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
