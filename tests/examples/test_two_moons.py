import sys

import numpy as np
import pytest

from examples import two_moons


@pytest.fixture(scope="module")
def trained():
    return two_moons.train(seed=0)


def test_it_parts_the_moons(trained):
    model, history, (points, labels) = trained
    assert history.loss[-1] < history.loss[0] / 5
    assert np.mean((two_moons.probability(model, points) > 0.5) == labels[:, 0]) > 0.97


def test_a_straight_line_would_not_do(trained):
    """Else the example would show nothing."""
    _, _, (points, labels) = trained
    design = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    line, *_ = np.linalg.lstsq(design, 2 * labels - 1, rcond=None)
    assert np.mean((design @ line > 0) == labels) < 0.93


def test_the_drawing_in_letters(trained):
    model, _, (points, labels) = trained
    lines = two_moons.draw_text(model, points, labels).splitlines()
    assert len(lines) == 24
    assert max(map(len, lines)) <= 76
    drawing = "".join(lines)
    assert {"o", "x", "·", " "} == set(drawing)


def test_the_picture_is_saved(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    two_moons.main(["--plot", str(tmp_path / "plots")])
    assert (tmp_path / "plots" / "two_moons.png").read_bytes().startswith(b"\x89PNG")
    assert "·" not in capsys.readouterr().out


def test_without_matplotlib_the_drawing_is_in_letters(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    two_moons.main(["--plot", str(tmp_path)])
    said = capsys.readouterr()
    assert "pip install matplotlib" in said.err
    assert "·" in said.out
