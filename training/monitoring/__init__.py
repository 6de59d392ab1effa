"""What a run shows of itself: logs, curves, pictures, figures on the validation images."""
