"""The rows of the table, held against NumPy: `arguments.py` draws calls, `gradcheck.py` checks them."""

import pytest

pytest.register_assert_rewrite("tests.rules.gradcheck")
