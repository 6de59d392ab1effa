"""Export of checkpoints to model files, ONNX, STAC items and model cards."""
