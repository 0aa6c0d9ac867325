"""autodiff/COVERAGE.md says what the table says. `python tests/project/test_coverage.py` writes it anew."""

from pathlib import Path

import numpy as np
import pytest

import autodiff as ad
from autodiff.primitive import TABLE
from autodiff.readers.coverage import ELSEWHERE

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "autodiff" / "COVERAGE.md"
NAMES = [
    f"np.{name}"
    for name in (ROOT / "tests" / "rules" / "differentiable.txt").read_text().split("\n")
    if name and not name.startswith("#")
]
NOT_DISPATCHED = {"np.asarray_chkfinite"}  # which has no like=, either


@pytest.mark.skipif(not np.__version__.startswith("2.4."), reason="the page is that of NumPy 2.4")
def test_the_page_is_that_of_the_table():
    assert PAGE.read_text(encoding="utf-8") == ad.coverage().page, "python tests/project/test_coverage.py"


def test_every_differentiable_name_differentiates():
    found = {entry.name: entry for entry in ad.coverage()}
    assert [name for name in NAMES if not found[name].differentiates] == sorted(NOT_DISPATCHED)


def test_what_is_refused_says_why():
    for entry in ad.coverage():
        assert bool(entry.note) >= (entry.kind == "refused")


def test_it_prints():
    lines = str(ad.coverage()).splitlines()
    assert len(lines) == len(ad.coverage())
    assert any(line.split() == ["np.tanh", "elementwise"] for line in lines)


def same(numbers, said):
    expected = np.array(eval(said, {"nan": np.nan}), float)
    np.testing.assert_allclose(np.ravel(numbers), np.ravel(expected), atol=1e-12)


@pytest.mark.exhaustive
@pytest.mark.parametrize("library", [0, 1], ids=["torch", "jax"])
def test_at_kinks_the_others_give_what_the_page_says(library):
    gradients = [torch_gradients, jax_gradients][library]
    for row in TABLE.values():
        for point in row.kinks:
            shown = str(point[0]) if len(point) == 1 else str(point)
            said = ELSEWHERE[row.name, shown][library]
            if said != "refused":
                same(gradients(row.name, [np.asarray(p, float) for p in point]), said)


def torch_gradients(name, point):
    torch = pytest.importorskip("torch")
    functions = {
        "fabs": torch.abs, "clip": torch.clamp, "max": torch.amax, "min": torch.amin,
        "std": lambda x: torch.std(x, unbiased=False), "vector_norm": torch.linalg.vector_norm,
    }  # fmt: skip
    tensors = [torch.tensor(p, requires_grad=True) for p in point]
    (functions.get(name) or getattr(torch, name))(*tensors).sum().backward()
    return [np.zeros(t.shape) if t.grad is None else t.grad.numpy() for t in tensors]


def jax_gradients(name, point):
    state = np.random.get_state()
    jax = pytest.importorskip("jax")
    np.random.set_state(state)  # which its import draws from
    functions = {"relu": jax.nn.relu, "vector_norm": jax.numpy.linalg.norm}
    function = functions.get(name) or getattr(jax.numpy, name)
    gradient = jax.grad(lambda *arrays: function(*arrays).sum(), argnums=tuple(range(len(point))))
    return [np.asarray(g) for g in gradient(*(p.astype(np.float32) for p in point))]


if __name__ == "__main__":
    PAGE.write_text(ad.coverage().page, encoding="utf-8")
