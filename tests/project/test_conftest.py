"""The watchman is awake: each kind of leak that `no_leaks` looks for changes the state that it compares."""

import warnings
from contextlib import contextmanager

import numpy as np
import pytest

import autodiff as ad

from ..conftest import global_state


@contextmanager
def random_numbers():
    state = np.random.get_state()
    np.random.rand()
    yield
    np.random.set_state(state)


LEAKS = {
    "errstate": lambda: np.errstate(all="ignore"),
    "printoptions": lambda: np.printoptions(precision=3),
    "random": random_numbers,
    "warnings": lambda: warnings.catch_warnings(action="ignore"),
    "no_grad": ad.no_grad,
}


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_a_leak_shows(leak):
    before = global_state()
    with leak():
        changed = global_state()
    assert [name for name in before if changed[name] != before[name]] != []
    assert global_state() == before
