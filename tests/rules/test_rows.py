"""Every row of the table: NumPy's values, the gradients of central differences, float32, second order, kinks."""

import inspect
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from autodiff.primitive import TABLE

from . import gradcheck
from .arguments import calls

FUNCTIONS = [function for function, row in TABLE.items() if not row.foreign]
each_row = pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: TABLE[function].name)
drawn = settings(max_examples=settings().max_examples // 5)


@pytest.mark.parametrize("check", gradcheck.CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@each_row
@drawn
@given(data=st.data())
def test_row(function, check, data):
    check(data.draw(calls(function)))


@each_row
def test_kinks(function):
    gradcheck.check_kinks(function)
