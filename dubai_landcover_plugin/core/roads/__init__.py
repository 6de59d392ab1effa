"""Road network: from the pixels of one class to centre lines that meet at shared nodes."""
