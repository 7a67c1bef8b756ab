"""Synthetic samples: what answers they carry, and how inputs of each kind show them."""
