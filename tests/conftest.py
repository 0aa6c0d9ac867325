"""What every test stands on: how hard hypothesis tries, which tests run and where, and no trace left behind."""

import os
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

# Everyday runs draw the same cases every time, so that a red test is the fault of the change before it.
settings.register_profile(
    "everyday", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("exhaustive", settings.get_profile("everyday"), derandomize=False, max_examples=2000)


def pytest_addoption(parser):
    parser.addoption(
        "--exhaustive", action="store_true", help="draw many more cases, at random, and run the tests marked exhaustive"
    )


def pytest_configure(config):
    settings.load_profile("exhaustive" if config.getoption("--exhaustive") else "everyday")
    if not config.getoption("--exhaustive"):
        # Hypothesis likes to draw numbers that stand in modules of ours: in those that are imported by then, which is
        # another matter for each worker, and for a test alone.
        none = providers.Constants()
        providers._get_local_constants = lambda: none


def pytest_collection_modifyitems(config, items):
    if config.getoption("--exhaustive"):
        return
    for item in items:
        if item.get_closest_marker("exhaustive"):
            item.add_marker(pytest.mark.skip(reason="runs with --exhaustive"))


def pytest_xdist_auto_num_workers(config):
    """None where tests are named, since workers take longer to start than most files to run; else one for each core."""
    return 0 if config.args_source is config.ArgsSource.ARGS else None


def pytest_xdist_setupnodes():
    """One thread of BLAS for a worker and what it starts: more would wait for the cores that other workers have."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # OpenBLAS and MKL heed it, too


def global_state():
    """The switches that a test could leave behind for the next one, each under a name to blame."""
    import autodiff as ad

    algorithm, keys, *position = np.random.get_state()
    return {
        "np.errstate": np.geterr(),
        "np.printoptions": np.get_printoptions(),
        "NumPy's global random generator": (algorithm, keys.tobytes(), *position),
        "warnings.filters": list(warnings.filters),
        "no_grad": (ad.Tensor(1.0) * 2).requires_grad,
    }


@pytest.fixture(autouse=True)
def no_leaks():
    """Fails a test that leaves global state other than it found it."""
    before = global_state()
    yield
    after = global_state()
    leaked = [name for name in before if after[name] != before[name]]
    assert not leaked, f"the test changed and left behind: {', '.join(leaked)}"


@pytest.fixture(autouse=True)
def same_draws(request):
    """A test draws from its file's generators as if it were the first: alone, and after whichever others."""
    states = [(x, x.bit_generator.state) for x in vars(request.module).values() if isinstance(x, np.random.Generator)]
    yield
    for generator, state in states:
        generator.bit_generator.state = state
