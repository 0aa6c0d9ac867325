"""The main job: it learns, by hand and by machine alike, and tells of it the same way every time."""

import sys

import numpy as np
import pytest

import autodiff as ad
import nn
from examples import grades

NETWORK = "one hidden layer"


@pytest.fixture(scope="module")
def trainings():
    return grades.notebook(seed=0)


def weights_of(training):
    return [weight.numpy() for weight in training.model.parameters()]


def test_each_network_learns(trainings):
    for training in trainings.values():
        assert len(training.losses) == 101
        assert training.losses[-1] < training.losses[0] / 10
        assert np.abs(training.after - grades.y).max() < 0.1
        assert np.abs(training.after - grades.y).max() < np.abs(training.before - grades.y).max()


@pytest.mark.parametrize("seed", range(5))
def test_hand_and_machine_agree_at_every_step(seed):
    for training in grades.notebook(seed).values():
        assert max(training.disagreement.values()) < 1e-12


@pytest.mark.parametrize("seed", range(5))
def test_hand_and_machine_agree_in_every_entry(seed):
    for model in (nn.MLP([2, 4, 1], output="sigmoid", bias=False, rng=seed), grades.notebook(seed)[NETWORK].model):
        weights = list(model.parameters())
        by_autodiff = ad.gradients(nn.squared_error(model(grades.X), grades.y), weights)
        for left, right in zip(grades.one_hidden_layer(*(W.numpy() for W in weights)), by_autodiff, strict=True):
            terms = np.max(np.abs(right))  # where samples cancel, an entry has the digits of its terms
            np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-13 * terms)


def test_the_derivations_by_hand_are_the_slopes_of_the_loss():
    """By central differences: no derivation vouches for another."""
    rng = np.random.default_rng(1)
    W1, W2, W3 = (rng.standard_normal(shape) for shape in ((2, 4), (4, 4), (4, 1)))
    cases = [
        (grades.one_hidden_layer, grades.sigmoid, [W1, W3]),
        (grades.two_hidden_layers, grades.sigmoid, [W1, W2, W3]),
        (grades.two_hidden_layers_of_relu, grades.relu, [W1, W2, W3]),
    ]
    for derivation, f, weights in cases:
        for which, gradient in enumerate(derivation(*weights)):
            for entry in np.ndindex(gradient.shape):
                losses = []
                for step in (1e-5, -1e-5):
                    moved = [W.copy() for W in weights]
                    moved[which][entry] += step
                    a = grades.X
                    for W in moved[:-1]:
                        a = f(a @ W)
                    losses.append(np.sum((grades.y - grades.sigmoid(a @ moved[-1])) ** 2) / 2)
                assert gradient[entry] == pytest.approx((losses[0] - losses[1]) / 2e-5, rel=1e-6, abs=1e-9)


def test_an_hour_more_is_worth_what_the_network_then_says(trainings):
    training = trainings[NETWORK]
    W1, W2 = weights_of(training)
    step = 1e-5
    for student, worth in enumerate(grades.worth_of_an_hour(training.model)):
        for kind in range(2):
            more, less = grades.X.astype(float), grades.X.astype(float)
            more[student, kind] += step
            less[student, kind] -= step
            rise = grades.sigmoid(grades.sigmoid(more @ W1) @ W2) - grades.sigmoid(grades.sigmoid(less @ W1) @ W2)
            assert worth[kind] == pytest.approx(rise.sum() / (2 * step), rel=1e-6, abs=1e-9)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(trainings):
    def bits(trainings):
        return [weight.tobytes() for training in trainings.values() for weight in weights_of(training)]

    assert bits(grades.notebook(seed=0)) == bits(trainings) != bits(grades.notebook(seed=1))


def test_the_data_are_left_as_they_were(trainings):
    assert grades.X.tolist() == [[3, 5], [5, 1], [10, 2]]


def test_relu_leaves_its_argument_alone():
    """The notebook's did not, and turned the data into ones."""
    z = np.array([-1.0, 0.0, 2.0])
    assert grades.relu(z).tolist() == [0, 0, 2]
    assert grades.relu_prime(z).tolist() == [0, 0, 1]
    assert z.tolist() == [-1, 0, 2]


def test_the_account_is_plain_text_with_what_happened_in_it(capsys, trainings):
    grades.main([])
    account = capsys.readouterr().out
    assert "\033" not in account
    for training in trainings.values():
        assert f"{training.losses[0]:.5f} -> {training.losses[-1]:.5f}" in account
    assert max(len(line) for line in account.splitlines()) <= 100


def test_relus_that_are_born_dead_are_told_of(capsys):
    """Of this seed's first weights every relu is 0 for every student."""
    grades.main(["--seed", "12"])
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "nothing learned" in line)
    assert line.split("->")[0].split()[-1] == line.split("->")[1].split()[0]


def test_a_terminal_gets_bold_headings(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    grades.heading("The loss", "")
    assert capsys.readouterr().out == "\n\033[1mThe loss\033[0m   \n\n"


def test_plots_are_saved(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    grades.main(["--plot", str(tmp_path / "new" / "folder")])
    files = sorted((tmp_path / "new" / "folder").iterdir())
    assert [file.name for file in files] == ["graph.html", "graph.svg", "loss.png", "sigmoid.png"]
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files[2:])
