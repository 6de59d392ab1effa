"""From a checkpoint to a model file, ONNX, a STAC item and a card."""
