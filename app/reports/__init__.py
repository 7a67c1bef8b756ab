"""Report -> text: one module a format, and `formats` the table of them."""
