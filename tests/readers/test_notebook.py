"""`%%verify`, in IPython itself."""

import linecache
import sys
import warnings

import numpy as np
import pytest

pytest.importorskip("IPython")

SETUP = """
import numpy as np

def MSE(y, y_hat):
    return np.power((y-y_hat),2)/2

def sigmoid(z):
        return 1/(1+np.exp(-z))

def sigmoid_prime(z):
    return np.exp(-z)/np.power(1+np.exp(-z),2)
"""
DATA = """
x = np.array([[3, 5],[5, 1],[10, 2]])
y = np.array([[0.75], [0.82], [0.93]])
w1 = np.random.randn(2,4)
w2 = np.random.randn(4,1)
"""
STEP = """

z1 = x.dot(w1)
a1 = sigmoid(z1)
z2 = a1.dot(w2) 
y_hat = sigmoid(z2)
loss = MSE(y,y_hat)


delta1 = (y_hat-y)*sigmoid_prime(z2)
w2_gred = a1.T.dot(delta1)

delta2 = np.dot(delta1, w2.T) * sigmoid_prime(z1)
w1_gred = np.dot(x.T, delta2)
"""  # noqa: W291
FORGOTTEN = STEP.replace(" * sigmoid_prime(z1)", "")
LINE = "loss w1=w1_gred w2=w2_gred"


@pytest.fixture
def notebook(monkeypatch, tmp_path):
    """A notebook in which cells can be run; it leaves nothing behind."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    for module, name in ((sys, "displayhook"), (sys, "excepthook"), (linecache, "cache")):
        held = getattr(module, name)
        monkeypatch.setattr(module, name, dict(held) if isinstance(held, dict) else held)
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    settings = Config()
    settings.HistoryManager.enabled = False
    before = np.random.get_state()

    with warnings.catch_warnings():  # IPython has filters of its own
        shell = InteractiveShell(config=settings)

    def run(cell):
        done = shell.run_cell(cell, store_history=True)
        done.raise_error()
        return done.result

    run.variables = shell.user_ns
    run("%load_ext autodiff\n" + SETUP)
    yield run
    np.random.set_state(before)


def test_a_cell_with_its_data(notebook, capsys):
    report = notebook(f"%%verify {LINE}\n{DATA}{STEP}")
    assert report.ok
    assert list(report.gradients) == ["w1", "w2"]
    assert report.notes == ["loss has shape (3, 1); its sum was checked"]
    assert not {"x", "w1", "loss", "w1_gred", "cell"} & set(notebook.variables)


def test_a_cell_that_uses_variables_of_others(notebook, capsys):
    notebook(DATA)
    before = notebook.variables["w1"].copy()
    report = notebook(f"%%verify {LINE}\n{STEP}\nw1 -= w1_gred\nw2 -= w2_gred")
    assert report.ok
    assert (notebook.variables["w1"] == before).all()
    assert "delta1" not in notebook.variables


def test_a_mistake_is_named_by_the_line_of_the_cell(notebook, capsys):
    notebook(DATA)
    report = notebook(f"%%verify {LINE}{FORGOTTEN}")
    assert (report.first_wrong, report.cause) == ("delta2", "missing-activation-derivative")
    lines = f"%%verify {LINE}{FORGOTTEN}".splitlines()
    number = 1 + next(i for i, line in enumerate(lines) if line.startswith("delta2"))
    assert str(report).startswith(f"✗ delta2 is the first wrong step, In[3] line {number}")


def test_a_mistake_where_the_cell_has_integers(notebook, capsys):
    assert notebook(f"%%verify {LINE}\n{DATA}{FORGOTTEN}").first_wrong == "delta2"


def test_parameters_in_an_object(notebook, capsys):
    notebook(DATA + "class Model: pass\nmodel = Model()\nmodel.W = np.random.randn(2, 1)")
    cell = "y_hat = x.dot(model.W)\nloss = np.sum((y_hat - y)**2) / 2\nW_grad = x.T.dot(y_hat - y)\nmodel.W = W_grad"
    held = notebook.variables["model"].W
    assert notebook(f"%%verify loss model.W=W_grad\n{cell}").ok
    assert notebook.variables["model"].W is held


def test_strings_of_several_lines_stay_what_they_are(notebook, capsys):
    notebook(DATA + "w = np.ones((2, 1))")
    text = 'text = """\none\n    two\n"""\nassert text == "\\none\\n    two\\n"\nname = f"""\n{text}\n"""\n'
    cell = "y_hat = x.dot(w)\nloss = np.sum((y_hat - y)**2) / 2\nw_grad = x.T.dot(y_hat - y)"
    assert notebook(f"%%verify loss w=w_grad\n{text}{cell}").ok


@pytest.mark.parametrize("line", ["", "loss", "w1=w1_gred", "loss w1 = w1_gred", "loss w1=w1_gred extra"])
def test_a_line_that_says_too_little(notebook, capsys, line):
    from IPython.core.error import UsageError

    with pytest.raises(UsageError, match="as in %%verify loss w1=w1_grad w2=w2_grad"):
        notebook(f"%%verify {line}\n{STEP}")
