"""Choosing among values: where, select, choose, sorting."""
# ruff: noqa: E501

from __future__ import annotations
