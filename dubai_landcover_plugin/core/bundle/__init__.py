"""Opens, loads and saves model files."""
