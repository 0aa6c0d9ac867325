"""Sites: where in the user's code a value was made, so that readers can call it what the user calls it.

A site is the flat tuple `(code, instruction, code of the caller, instruction of the caller)`: of the nearest frame
outside the libraries, and of the one that called it. Code and positions alone: a frame would keep its variables alive.

A module is a library's, whose variables are no names that a user knows, if it has a global `__library__`.
"""

from __future__ import annotations

import sys
from types import CodeType

Site = tuple[CodeType, int, CodeType | None, int]

__library__ = True  # a module has it by `from .sites import __library__`


def site() -> Site | None:
    """Where the user's code is now. Recording functions have these lines in themselves, where a call would cost."""
    frame = sys._getframe(1)
    while "__library__" in frame.f_globals:
        if frame.f_back is None:
            return None
        frame = frame.f_back
    caller = frame.f_back
    while caller is not None and "__library__" in caller.f_globals:
        caller = caller.f_back
    return frame.f_code, frame.f_lasti, caller and caller.f_code, caller.f_lasti if caller else 0
