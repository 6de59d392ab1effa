"""HTML pages: Jinja2 templates, the tables and pictures on them, the formats of numbers."""
