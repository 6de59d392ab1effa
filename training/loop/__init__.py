"""The training loop: network, losses, optimizer, checkpoints."""
