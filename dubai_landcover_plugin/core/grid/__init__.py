"""Where pixels lie: grids, windows, their size on the ground, resampling."""
