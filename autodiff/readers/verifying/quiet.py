"""Nothing comes out of a run: no text, no warning, no random number used up, no class or module left changed.

What a user's function reaches by its own names is copied before it runs (`Run.copied`). What has to stay the same
object is put back afterwards, by a `Keeper`: the user's classes and modules, and the globals that a class's own methods
use, since an object that is made on the way calls these as they are. Warnings and random states are the process's; so
runs of several threads take turns.
"""

from __future__ import annotations

import contextlib
import functools
import random
import sys
import threading
import warnings
from collections.abc import Callable, Generator
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

import numpy as np

from .instrument import is_users

_TURNS: Final = threading.RLock()
DEEP = 4  # containers in containers that are put back
_ABSENT: Final = object()


@contextlib.contextmanager
def unnoticed(draws: bool = True) -> Generator[None]:
    """A context without warnings; if it `draws`, the global random generators stand afterwards where they stood."""
    with _TURNS:
        states = (np.random.get_state(), random.getstate()) if draws else None
        try:
            with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
                yield
        finally:
            if states:
                np.random.set_state(states[0])
                random.setstate(states[1])


def drawn(call: Callable[[], Any]) -> tuple[Any, bool]:
    """The result of a call, and whether it has drawn from the global random generators, which is undone."""
    with unnoticed():
        before = _random_states()
        result = call()
        return result, _random_states() != before


def _random_states() -> tuple[Any, ...]:
    name, keys, *rest = np.random.get_state()
    return name, np.asarray(keys).tobytes(), *rest, random.getstate()


def silent(*values: Any, **options: Any) -> None:
    """What `print` is in a run: it may happen some hundred times."""
    file = options.get("file")
    if file is not None and file not in (sys.stdout, sys.stderr):
        print(*values, **options)  # noqa: T201 (to where the user can read it again)


class Keeper:
    """Remembers what is shared, and puts it back."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []
        self._seen: dict[int, Any] = {}

    def keep(self, thing: Any) -> None:
        """A class or a module of the user's, before something may change it; anything else is not kept."""
        if isinstance(thing, type):
            for kind in thing.__mro__:
                if _is_users(kind.__module__) and self._is_new(kind):
                    self._attributes(kind)
                    self._globals(kind)
        elif isinstance(thing, ModuleType) and _is_users(thing.__name__) and self._is_new(thing):
            self._attributes(thing)

    def restore(self) -> None:
        """Put back what has changed, the last first."""
        while self._undo:
            self._undo.pop()()

    def _is_new(self, thing: Any) -> bool:
        new = id(thing) not in self._seen
        self._seen[id(thing)] = thing  # held, so that the id stays its own
        return new

    def _attributes(self, owner: Any) -> None:
        before = dict(vars(owner))

        def undo() -> None:
            now = vars(owner)
            for name in [name for name in now if name not in before]:
                delattr(owner, name)
            for name, value in before.items():
                if now.get(name, _ABSENT) is not value:
                    setattr(owner, name, value)

        self._undo.append(undo)
        for name, value in before.items():
            if not name.startswith("__"):
                self._contents(value)

    def _globals(self, kind: type) -> None:
        """The globals that the methods of a class speak of."""
        for method in vars(kind).values():
            function = getattr(method, "__func__", method)
            if not isinstance(function, FunctionType):
                continue
            space = function.__globals__
            for name in global_names(function.__code__):
                if name in space and not callable(space[name]):
                    self._entry(space, name)

    def _entry(self, space: dict[str, Any], name: str) -> None:
        value = space[name]
        self._undo.append(lambda: space.__setitem__(name, value))
        self._contents(value)

    def _contents(self, value: Any, depth: int = 0) -> None:
        """What is in an array or a container, and in those that it holds."""
        if depth > DEEP or not isinstance(value, (np.ndarray, list, dict, set)) or not self._is_new(value):
            if isinstance(value, np.random.Generator) and self._is_new(value):
                state = value.bit_generator.state
                self._undo.append(lambda: setattr(value.bit_generator, "state", state))
            return
        before: Any = value.copy()
        if isinstance(value, np.ndarray):
            self._undo.append(lambda: _refill(value, before))
            return
        self._undo.append(lambda: _replace(value, before))
        for item in before.values() if isinstance(before, dict) else before:
            self._contents(item, depth + 1)


def _refill(array: Any, before: Any) -> None:
    if array.tobytes() != before.tobytes():
        array[...] = before


def _replace(container: Any, before: Any) -> None:
    container.clear()
    (container.extend if isinstance(container, list) else container.update)(before)


@functools.lru_cache(4096)
def _is_users(module: str) -> bool:
    found = sys.modules.get(module)
    builtin = module in sys.builtin_module_names
    return not builtin and is_users(getattr(found, "__file__", None) or "a cell", module)


@functools.lru_cache(1024)
def global_names(code: CodeType) -> tuple[str, ...]:
    """The global names that code may use, that of inner functions too."""
    inner = [name for constant in code.co_consts if isinstance(constant, CodeType) for name in global_names(constant)]
    return (*code.co_names, *inner)
