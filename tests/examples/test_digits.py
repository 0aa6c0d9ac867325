import sys

import numpy as np
import pytest

from examples import digits


def test_it_reads_97_of_100_digits_that_it_has_not_seen():
    pytest.importorskip("sklearn")
    model, history, (images, labels) = digits.train(seed=0)
    assert len(labels) == 1797 // 5
    assert np.mean(digits.read(model, images) == labels) >= 0.97
    assert history.loss[-1] < history.loss[0] / 50
    assert len(history.validation_loss) == len(history.loss)


def test_an_image_in_letters():
    lines = digits.in_letters(np.linspace(0, 1, 64))
    assert [len(line) for line in lines] == [16] * 8
    assert lines[0].startswith("  ")
    assert lines[-1].endswith("@@")


def test_without_scikit_learn_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(SystemExit, match="pip install scikit-learn"):
        digits.main([])


def test_the_plot_is_saved(tmp_path, capsys):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    digits.main(["--plot", str(tmp_path / "plots")])
    assert (tmp_path / "plots" / "digits.png").read_bytes().startswith(b"\x89PNG")
    assert "Saved" in capsys.readouterr().out
