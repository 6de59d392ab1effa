"""Processing provider and algorithms: parameters in, request out, results styled."""
