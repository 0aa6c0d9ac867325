"""Functions whose results carry no gradient: indices, truth values, shapes."""
# ruff: noqa: E501

from __future__ import annotations
