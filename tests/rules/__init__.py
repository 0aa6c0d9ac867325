"""The rows of the table against NumPy and against central differences; `arguments.py` draws the calls, `gradcheck.py` checks."""

import pytest

pytest.register_assert_rewrite("tests.rules.gradcheck")
