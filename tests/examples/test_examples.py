"""Every example runs by itself, from anywhere, without a warning, twice with the same words, in plain text."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))
NEEDS = {"digits.py": "sklearn"}


def run(example, cwd, *arguments):
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / example), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs_by_itself(example, tmp_path):
    if example in NEEDS:
        pytest.importorskip(NEEDS[example])
    account = run(example, tmp_path)
    assert account
    assert "\033" not in account
    assert "\r" not in account
    assert account == run(example, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_says_how_it_is_used(example, tmp_path):
    assert "--plot DIR" in run(example, tmp_path, "--help")
