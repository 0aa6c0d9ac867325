"""The rows of the table, by kind. Importing this package fills the table; `autodiff/primitive.py` has the grammar."""

from . import (
    activation,
    bessel,
    creation,
    elementwise,
    engine,
    fft,
    indexing,
    inspection,
    linalg,
    polynomial,
    product,
    reduction,
    selection,
    shape,
    statistics,
    writing,
)

__all__ = [
    "activation", "bessel", "creation", "elementwise", "engine", "fft", "indexing", "inspection", "linalg",
    "polynomial", "product", "reduction", "selection", "shape", "statistics", "writing",
]  # fmt: skip
