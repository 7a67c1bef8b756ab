"""Evidence -> ranked causes, verdict, smallest verified fix."""
