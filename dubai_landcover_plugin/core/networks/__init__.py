"""Networks for semantic segmentation; importing this package registers all architectures."""

from dubai_landcover_plugin.core.networks import unet, unet_efficientnet, unet_vit, vit
from dubai_landcover_plugin.core.networks.layers import LAST_BIAS, SegmentationModel
from dubai_landcover_plugin.core.networks.registry import architectures, build_model, register

__all__ = [
    "LAST_BIAS",
    "SegmentationModel",
    "architectures",
    "build_model",
    "register",
    "unet",
    "unet_efficientnet",
    "unet_vit",
    "vit",
]
