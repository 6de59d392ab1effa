"""Regularization of building outlines: right angles along each building's walls, without new overlaps."""
