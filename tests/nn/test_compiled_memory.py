"""Peak memory of compiled training: buffers are reused, and recording computes no large values."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba")

PROGRAM = """
import gc
import numpy as np, nn
from tests.benchmarks.worker import _memory, _reset_peak_memory

def network(batch):
    rng = np.random.default_rng(0)
    X, y = rng.random((batch, 512), np.float32), rng.random((batch, 512), np.float32)
    model = nn.MLP([512] * 11, output="sigmoid", bias=False, dtype=np.float32, rng=0)
    return nn.TrainStep(model, nn.squared_error, nn.SGD(model.parameters(), 1e-5), compile="numpy"), X, y

step, X, y = network(32)
step(X, y)
step, X, y = network(4096)
gc.collect()
start = _reset_peak_memory()
for _ in range(3):
    step(X, y)
print(_memory("VmHWM") - start)
"""


@pytest.mark.exhaustive
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells a peak within a process")
def test_ten_layers_of_512_at_batch_4096():
    root = Path(__file__).parents[2]
    grown = subprocess.check_output([sys.executable, "-c", PROGRAM], cwd=root, text=True)
    assert int(grown) <= 110e6
