"""The rows of the table, by kind. Importing this package fills the table; `autodiff/primitive.py` has the grammar."""

from . import (
    activation,
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
    "activation", "creation", "elementwise", "engine", "fft", "indexing", "inspection", "linalg", "polynomial", "product",
    "reduction", "selection", "shape", "statistics", "writing",
]  # fmt: skip
