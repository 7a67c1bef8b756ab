"""What measures the diagnosis: accuracy on known models, seconds, memory, repeatability."""
