"""The rows of the table, by kind. Importing this package fills the table; `autodiff/primitive.py` has the grammar."""

from . import activation, elementwise, indexing, product, reduction, shape

__all__ = ["activation", "elementwise", "indexing", "product", "reduction", "shape"]
