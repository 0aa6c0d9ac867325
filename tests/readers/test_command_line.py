"""`python -m autodiff`: what it runs, what it says, and its exit status."""

import os
import subprocess
import sys

import pytest

import autodiff as ad
from autodiff.__main__ import main

GRADES = """\
import numpy as np
from helpers import sigmoid

x = np.array([[3, 5], [5, 1], [10, 2]])
y = np.array([[0.75], [0.82], [0.93]])
w = np.array([[0.1], [-0.2]])
name = "공부시간"


def right(w, rate=2):
    y_hat = sigmoid(x.dot(w))
    loss = np.sum((y - y_hat) ** 2) / 2
    delta = (y_hat - y) * y_hat * (1 - y_hat)
    return loss, x.T.dot(delta)


def wrong(w):
    y_hat = sigmoid(x.dot(w))
    loss = np.sum((y - y_hat) ** 2) / 2
    delta = (y - y_hat) * y_hat * (1 - y_hat)
    return loss, x.T.dot(delta)


def forward(w):
    return np.sum((y - sigmoid(x.dot(w))) ** 2) / 2


def backward(w):
    return right(w)[1]


def apart(w, v):
    return right(w)


def broken(w):
    raise RuntimeError("no such luck")


def nameless(w):
    loss, w_grad = right(w)
    print("seen only by who runs it")


class Network:
    def __init__(self, w):
        self.w = w

    def gradient(self, x, y):
        y_hat = sigmoid(x.dot(self.w))
        loss = np.sum((y - y_hat) ** 2) / 2
        w_grad = x.T.dot((y_hat - y) * y_hat * (1 - y_hat))
        return w_grad


class Held(Network):
    pass


held = Held(w)
"""


@pytest.fixture
def grades(tmp_path, monkeypatch):
    """A file of a user, and in its folder another one that it imports."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "modules", {**sys.modules})
    (tmp_path / "grades.py").write_text(GRADES, encoding="utf-8")
    (tmp_path / "helpers.py").write_text("import numpy as np\n\ndef sigmoid(z):\n    return 1 / (1 + np.exp(-z))\n")
    return tmp_path / "grades.py"


def test_a_right_one_is_0(grades, capsys):
    assert main(["verify", f"{grades}::right"]) == 0
    assert capsys.readouterr().out.startswith("✓ right    w ")


def test_a_wrong_one_is_1(grades, capsys):
    assert main(["verify", f"{grades}::wrong", "--seed", "3", "--points", "2"]) == 1
    said = capsys.readouterr().out
    assert said.startswith("✗ delta is the first wrong step, grades.py:")
    assert "verified at 2 points" in said


@pytest.mark.parametrize(("verdict", "status"), [("right", 0), ("wrong", 1), ("cannot tell", 2)])
def test_each_verdict_has_its_status(grades, capsys, monkeypatch, verdict, status):
    class Report:
        def show(self):
            sys.stdout.write(verdict)

    report = Report()
    report.verdict = verdict
    monkeypatch.setattr("autodiff.__main__.verify", lambda *arguments, **options: report)
    assert main(["verify", f"{grades}::right"]) == status
    assert capsys.readouterr().out == verdict


def test_forward_and_backward_apart(grades, capsys):
    assert main(["verify", f"{grades}::forward", "--by-hand", "backward", "--wrt", "w"]) == 0


@pytest.mark.parametrize("target", ["Network.gradient", "Held.gradient", "held.gradient"])
def test_a_method(grades, capsys, target):
    assert main(["verify", f"{grades}::{target}", "--loss", "loss", "--gradients", "self.w=w_grad"]) == 0
    assert "self.w" in capsys.readouterr().out


def test_gradients_in_variables_and_what_is_printed_only_once(grades, capsys):
    assert main(["verify", f"{grades}::nameless", "--loss", "loss", "--gradients", "w=w_grad"]) == 0
    assert "seen only" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{}"], "say which function of the file"),
        (["no.py::f"], "no.py: no such file"),
        (["{}::nothing"], "has no function nothing; it has sigmoid, right, wrong, forward"),
        (["{}::name"], "has no function name"),
        (["{}::Network.nothing"], "has no function Network.nothing"),
        (["{}::apart"], "apart takes v: give the file variables"),
        (["{}::right", "--gradients", "w"], "w should be NAME=GRADIENT"),
        (["{}::broken"], "RuntimeError: no such luck"),
        (["{}::forward"], "must return (loss, gradients)"),
    ],
)
def test_no_verdict_is_3_and_says_why(grades, capsys, arguments, said):
    assert main(["verify", arguments[0].format(grades), *arguments[1:]]) == 3
    told = capsys.readouterr()
    assert said in told.err
    assert told.out == ""


@pytest.mark.parametrize("line", ["import sys; sys.exit(0)", "1 / 0", "def f(:"])
def test_a_file_that_fails_is_no_verdict(tmp_path, monkeypatch, capsys, line):
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "modules", {**sys.modules})
    (tmp_path / "fails.py").write_text(line + "\n")
    assert main(["verify", f"{tmp_path / 'fails.py'}::f"]) == 3
    assert "fails.py" in capsys.readouterr().err


def test_what_it_does_not_understand_is_3(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["verify", "a.py::f", "--nonsense"])
    assert ended.value.code == 3
    assert "--nonsense" in capsys.readouterr().err


def test_help_and_configuration(capsys):
    assert main([]) == 0
    assert "show-config" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["verify", "--help"])
    assert ended.value.code == 0
    assert "exit status: 0 right, 1 wrong, 2 cannot tell, 3" in capsys.readouterr().out
    assert main(["show-config"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == str(ad.show_config()).splitlines()[0]


def test_as_a_program(grades):
    command = [sys.executable, "-W", "error", "-m", "autodiff", "verify", "grades.py::wrong"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, cwd=grades.parent, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == ""
    assert done.stdout.startswith("? delta is the first wrong step")  # a terminal that has no ✗
