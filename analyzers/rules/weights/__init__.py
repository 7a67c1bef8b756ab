"""Rules about the saved weights."""
