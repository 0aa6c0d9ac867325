"""What is built is what is shipped: the two packages with their type marker, importable far from this checkout."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("build")
pytest.importorskip("hatchling")
pytest.importorskip("pip")

ROOT = Path(__file__).parents[2]
SOURCES = {path.relative_to(ROOT).as_posix() for top in ("autodiff", "nn") for path in (ROOT / top).rglob("*.py")}
PAGE = {f"autodiff/readers/drawing/page.{suffix}" for suffix in ("css", "html", "js")}
PACKAGES = SOURCES | PAGE | {"autodiff/COVERAGE.md", "autodiff/NUMBA.md", "autodiff/py.typed", "nn/py.typed"}


def run(*command, **options):
    """The command's standard output; the whole of what it said where it failed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """The folder of the sdist, built from the checkout, and the wheel, built from the sdist. Nothing is downloaded."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT))
    return folder


def test_the_wheel_holds_the_two_packages_and_nothing_else(dist):
    (wheel,) = dist.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == PACKAGES


def test_the_sdist_holds_them_too(dist):
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {name for name in names if name.startswith(("autodiff/", "nn/"))} == PACKAGES
    assert {name.split("/")[0] for name in names} == {
        *("autodiff", "nn", "README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", ".gitignore", "PKG-INFO")
    }


def test_the_wheel_installs_and_imports_from_elsewhere(dist, tmp_path):
    (wheel,) = dist.glob("*.whl")
    site = tmp_path / "site"
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site), str(wheel))
    program = "import autodiff, nn; nn.MLP([2, 4, 1]); print(autodiff.__file__, nn.__file__, sep='\\n')"
    # -P keeps the working directory, and with it this checkout, off the path.
    found = run(sys.executable, "-P", "-c", program, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(site)})
    assert found.splitlines() == [str(site / "autodiff/__init__.py"), str(site / "nn/__init__.py")]
