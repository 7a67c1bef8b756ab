"""Models whose files the reader must turn into models that compute the same; see ``benchmarks.reading``."""
