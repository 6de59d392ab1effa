"""Regular outlines of buildings."""
