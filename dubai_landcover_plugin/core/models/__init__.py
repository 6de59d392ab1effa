"""Networks for land-cover segmentation; importing this package registers them all."""

from dubai_landcover_plugin.core.models import unet, unet_efficientnet, unet_vit, vit
from dubai_landcover_plugin.core.models.layers import SegmentationModel
from dubai_landcover_plugin.core.models.registry import architectures, build_model, register

__all__ = [
    "SegmentationModel",
    "architectures",
    "build_model",
    "register",
    "unet",
    "unet_efficientnet",
    "unet_vit",
    "vit",
]
