"""Rules about what reaches the first layers."""
