"""Rules about the compile settings."""
