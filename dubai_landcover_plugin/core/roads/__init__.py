"""Extraction of a road network: skeleton, graph, pruning, gap bridging, smoothing."""
