"""Linear algebra: numpy.linalg."""
# ruff: noqa: E501

from __future__ import annotations
