"""scikit-learn's tables."""

from __future__ import annotations

import numpy as np
import sklearn.datasets

from tests.zoo.tasks.data.parts import Array, RealData, split, standardized

LOOPS = (0, 6, 8, 9)
PRIMES = (2, 3, 5, 7)


def iris() -> RealData:
    """(4,) standardised -> 3 classes; 150 flowers."""
    data = sklearn.datasets.load_iris()
    return split((standardized(data.data),), (data.target,))


def wine() -> RealData:
    """(13,) standardised -> 3 classes; 178 wines."""
    data = sklearn.datasets.load_wine()
    return split((standardized(data.data),), (data.target,))


def wine_raw() -> RealData:
    """(13,) as measured, up to 1680 -> 3 classes."""
    data = sklearn.datasets.load_wine()
    return split((data.data.astype("float32"),), (data.target,))


def cancer() -> RealData:
    """(30,) standardised -> malignant or benign, (1,); 569 biopsies."""
    data = sklearn.datasets.load_breast_cancer()
    return split((standardized(data.data),), (_column(data.target),))


def cancer_raw() -> RealData:
    """(30,) as measured, up to 4254 -> malignant or benign, (1,)."""
    data = sklearn.datasets.load_breast_cancer()
    return split((data.data.astype("float32"),), (_column(data.target),))


def digits() -> RealData:
    """(64,) pixels 0-1 -> 10 classes; 1797 digits."""
    data = sklearn.datasets.load_digits()
    return split(((data.data / 16).astype("float32"),), (data.target,))


def digit_properties() -> RealData:
    """(64,) pixels 0-1 -> even, over four, with a loop, prime: (4,)."""
    data = sklearn.datasets.load_digits()
    label = data.target
    properties = (label % 2 == 0, label > 4, np.isin(label, LOOPS), np.isin(label, PRIMES))
    return split(((data.data / 16).astype("float32"),), (np.stack(properties, axis=1).astype("float32"),))


def diabetes() -> RealData:
    """(10,) standardised -> progression of the disease after a year, standardised, (1,); 442 patients."""
    inputs, target = _diabetes()
    return split((inputs,), (standardized(target),))


def diabetes_raw_target() -> RealData:
    """(10,) standardised -> the same as measured, 25-346, (1,)."""
    inputs, target = _diabetes()
    return split((inputs,), (target,))


def diabetes_bounded() -> RealData:
    """(10,) standardised -> the same scaled to 0-1, (1,)."""
    inputs, target = _diabetes()
    return split((inputs,), ((target - target.min()) / (target.max() - target.min()),))


def _diabetes() -> tuple[Array, Array]:
    data = sklearn.datasets.load_diabetes()
    return standardized(data.data), _column(data.target)


def _column(values: Array) -> Array:
    return np.asarray(values, np.float32)[:, None]
