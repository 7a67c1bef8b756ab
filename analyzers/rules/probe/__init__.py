"""Rules about what the probe measured."""
