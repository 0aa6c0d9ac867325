"""For tests: problems that are drawn, a fixture that verifies, and rules that are checked. PYTEST_DONT_REWRITE

    problem(X="N D", W="D K")   a hypothesis strategy: arrays whose sizes cannot be confused
    verify                      a pytest fixture: `verify(step, W1, W2).check()`, at three more points
    check_rule(f)               all orders and modes, dtypes and shapes of a `primitive`

The fixture is there for the tests below a `conftest.py` that says

    pytest_plugins = ["autodiff.testing"]

    def test_my_backprop(verify):
        verify(step, W1, W2).check()

and verifies at more points where a test asks for them, with `verify(step, W1, W2, points=10)`, or for all calls with
`@pytest.mark.parametrize("verify", [10], indirect=True)`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .problems import problem
from .rules import check_rule

__all__ = ["check_rule", "problem"]

POINTS = 3  # that the fixture verifies at, beside the one that is given

try:
    import pytest
except ImportError:  # without it there are no fixtures
    pass
else:

    @pytest.fixture(name="verify")
    def _verify(request: pytest.FixtureRequest) -> Callable[..., Any]:
        """`autodiff.verify`, at the point that it is given and at others."""
        import autodiff

        return functools.partial(autodiff.verify, points=getattr(request, "param", POINTS))
