"""Rules about the graph between input and output."""
