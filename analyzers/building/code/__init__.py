"""ModelSpec -> a Python program in today's Keras, for a person to keep."""

from analyzers.building.code.program import COMPILE, diff, program

__all__ = ["COMPILE", "diff", "program"]
