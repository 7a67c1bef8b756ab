"""Rules about what the real training run left behind in the optimizer's state."""
