"""autodiff/NUMBA.md says what is machine code. `python tests/readers/test_compile_page.py` writes it anew."""

from pathlib import Path

import numpy as np
import pytest

from autodiff.readers.compiling.page import page

PAGE = Path(__file__).parents[2] / "autodiff" / "NUMBA.md"


@pytest.mark.skipif(not np.__version__.startswith("2.4."), reason="the page is that of NumPy 2.4")
def test_the_page_is_that_of_the_table():
    assert PAGE.read_text(encoding="utf-8") == page(), "python tests/readers/test_compile_page.py"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
