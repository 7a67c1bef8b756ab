"""What the probe measures, one quantity a module; how it is judged is elsewhere."""
