"""Functions that write into their argument: copyto, put, place."""
# ruff: noqa: E501

from __future__ import annotations
