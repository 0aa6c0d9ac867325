"""Every mistake of the notebook is found and named, and its derivation is right."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from examples import verify_by_hand


@pytest.fixture(scope="module")
def told():
    return dict(zip((f.__name__ for f in verify_by_hand.STORIES), verify_by_hand.reports().values(), strict=True))


def test_the_derivation_is_right(told):
    assert told["one_hidden_layer"].ok
    assert "loss has shape (3, 1); its sum was checked" in told["one_hidden_layer"].notes


@pytest.mark.parametrize(
    ("story", "causes"),
    [
        ("halved_twice", ["factor-2"]),
        ("forgotten", ["missing-activation-derivative"]),
        ("another_cells_variable", ["function-returns-global"]),
        ("deltas_first", ["input-mutated", "aliasing"]),
    ],
)
def test_a_mistake_is_named(told, story, causes):
    assert told[story].verdict == "wrong"
    assert told[story].cause in causes


def test_the_first_wrong_step(told):
    assert told["forgotten"].first_wrong == "delta2"
    assert told["forgotten"].gradients["w2"].digits > 12
    assert told["forgotten"].fix.startswith("delta2 = np.dot(delta1, w2.T) * ")


def test_data_that_a_function_overwrites_are_told_of(told):
    assert any("leru_prime" in note for note in told["data_of_ones"].notes)


def test_the_data_are_left_as_they_were(told):
    assert verify_by_hand.x.tolist() == [[3, 5], [5, 1], [10, 2]]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """What the example prints, and the page that it saves."""
    folder, printed = tmp_path_factory.mktemp("page") / "new", io.StringIO()
    with contextlib.redirect_stdout(printed):
        verify_by_hand.main(["--plot", str(folder)])
    return printed.getvalue(), (folder / "verified.html").read_text(encoding="utf-8")


def test_the_reports_are_saved_as_a_page(ran):
    printed, page = ran
    assert page.count("<h2>") == len(verify_by_hand.STORIES)
    assert max(len(line) for line in printed.splitlines()) <= 120


def test_the_readme_shows_the_reports(ran):
    """But for how many digits agree, which is the machine's."""
    printed, saved, _ = ran[0].partition("\nSaved ")
    assert saved
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    shown = next(block for block in re.findall(r"```console\n(.*?)```", readme, re.DOTALL) if "∂L" in block)
    said, shown = (re.sub(r"[\d.]+(?=e-| digits)|(?<=e-)\d+", "#", text).strip() for text in (printed, shown))
    assert said == shown, "paste what examples/verify_by_hand.py prints"
