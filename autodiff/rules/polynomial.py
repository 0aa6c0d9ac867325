"""Polynomials by their coefficients, highest power first."""
# ruff: noqa: E501

from __future__ import annotations
