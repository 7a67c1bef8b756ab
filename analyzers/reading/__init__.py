"""Files to ModelSpecs, without Keras and without running anything that a file holds.

The only door is :func:`open_model`.  One module a step: ``archive`` and
``hdf5`` check the two containers before anything in them is used, ``architecture`` (with ``layers``,
``objects``, ``nodes`` and ``operations``) upgrades the graph to today's names, ``training`` the compile
settings, ``weights`` and ``slots`` say which array is which.
"""

from analyzers.reading.opening import open_model

__all__ = ["open_model"]
