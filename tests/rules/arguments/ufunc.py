"""Methods of ufuncs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .common import Factory

ARGUMENTS: dict[Callable[..., Any], Factory] = {}
