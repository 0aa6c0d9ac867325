"""What a report says of findings that are made up here, on whatever it is shown; then of real ones."""

import io
import re
from html.parser import HTMLParser

import pytest

from autodiff.readers.verifying.causes import CAUSES, in_words
from autodiff.readers.verifying.findings import Findings, Mistake, Step
from autodiff.readers.verifying.instrument import Statement
from autodiff.readers.verifying.report import COLOURS, Report
from autodiff.readers.verifying.truth import Agreement
from autodiff.symbols import width

VOCABULARY = """
    sign · factor-2 · factor-half · factor-N · factor-1/N · factor-K · factor-const ·
    missing-activation-derivative · activation-derivative-at-activation · output-form-on-preactivation ·
    activation-derivative-of-wrong-layer · activation-derivative-twice · derivative-of-another-activation ·
    wrong-local-derivative · weight-not-transposed · gradient-transposed · updated-weights ·
    missing-weight-factor · skipped-layer · wrong-tensor-in-weight-gradient · wrong-tensor-in-delta ·
    bias-not-reduced · bias-wrong-axis · reduced-too-early · softmax-diagonal-only · softmax-wrong-axis ·
    missing-target · wrong-loss-derivative · input-mutated · aliasing · function-returns-global ·
    stale-forward-values · forward-differs · accidental-broadcast · integer-dtype · wrong-shape ·
    matmul-for-elementwise · elementwise-after-matmul · missing-branch · overwritten-not-accumulated ·
    accumulated-twice · detached-branch · off-by-one-index · off-by-one-time · regulariser-forgotten ·
    regulariser-scale · regulariser-on-wrong-parameter · relu-mask-from-wrong-tensor · relu-mask-inverted ·
    epsilon-ignored · ddof
"""
SAME = Agreement(error=1e-16, bound=3e-14, size=1.0)
WRONG = Agreement(error=3.12, bound=3e-12, size=1.0)


def statement(source, line=10, function="backprop", file="/home/kim/grades.py"):
    target = source.partition(" = ")[0]
    start = len(target) + 3
    return Statement(0, "=", (target,), function, file, line, source, start, len(source), None, 0)


def findings(verdict="wrong", **others):
    return Findings(**{"verdict": verdict, "function": "backprop", "file": "/home/kim/grades.py", **others})


RIGHT = findings(
    "right",
    gradients={"w1": Agreement(4e-16, 3e-12, 1.0), "w2": Agreement(0.0, 3e-14, 1.0)},
    steps=(Step("delta1", 8, "∂L/∂z2", "right", 16.0), Step("delta2", 10, "∂L/∂z1", "right", 15.6)),
    points=3,
    witness=11.2,
)
DELTA2 = Mistake(
    "delta2",
    statement("delta2 = np.dot(delta1, w2.T)"),
    "∂L/∂z1",
    "missing-activation-derivative",
    fix="delta2 = np.dot(delta1, w2.T) * sigmoid_prime(z1)",
    wrong=("w1",),
)
BROKEN = findings(
    gradients={"w1": WRONG, "w2": SAME},
    steps=(
        Step("delta1", 8, "∂L/∂z2", "right", 16.0),
        Step("w2_gred", 9, "", "right"),
        Step("delta2", 10, "∂L/∂z1", "wrong"),
        Step("w1_gred", 11, "", "follows"),
    ),
    mistakes=(DELTA2,),
    notes=("loss has shape (3, 1); its sum was checked",),
    points=3,
    witness=11.2,
)


def lines(report):
    return str(report).splitlines()


# What it says


def test_a_right_derivation():
    assert lines(Report(RIGHT)) == [
        "✓ right    w1 15.4 digits   w2 16 digits   3 points · finite differences agree to 11 digits",
        "  delta1 = ∂L/∂z2    delta2 = ∂L/∂z1",
        "  an error above 3e-12 of w1's gradient would have shown",
    ]


def test_a_wrong_step():
    assert lines(Report(BROKEN)) == [
        "✗ delta2 is the first wrong step, grades.py:10    w1 off by 312 %   w2 right",
        "     8  delta1 = ∂L/∂z2                                      ✓ 16 digits",
        "     9  w2_gred                                              ✓",
        "    10  delta2 = np.dot(delta1, w2.T)                        ✗ should be ∂L/∂z1",
        "        the derivative of the activation is missing",
        "  fix   delta2 = np.dot(delta1, w2.T) * sigmoid_prime(z1)    verified at 3 points",
        "    11  w1_gred                                              follows from delta2",
        "  note  loss has shape (3, 1); its sum was checked",
        "  finite differences confirm the true gradient",
    ]


def test_what_a_program_reads_off_it():
    report = Report(BROKEN)
    assert (report.verdict, report.ok, bool(report)) == ("wrong", False, False)
    assert (report.first_wrong, report.cause) == ("delta2", "missing-activation-derivative")
    assert report.fix == "delta2 = np.dot(delta1, w2.T) * sigmoid_prime(z1)"
    assert report.notes == ["loss has shape (3, 1); its sum was checked"]
    assert report.gradients["w1"].error == 3.12
    assert report.gradients["w2"].digits == pytest.approx(16)
    right = Report(RIGHT)
    assert (right.verdict, right.ok, bool(right)) == ("right", True, True)
    assert right.first_wrong is right.cause is right.fix is None


def test_check_raises_the_report():
    Report(RIGHT).check()
    for report in (Report(BROKEN), Report(findings("cannot tell", gradients={"w": SAME}))):
        with pytest.raises(AssertionError) as raised:
            report.check()
        assert str(raised.value) == str(report) == repr(report)


def test_it_cannot_tell():
    report = Report(findings("cannot tell", gradients={"w": Agreement(1e-4, 2e-4, 1.0)}, notes=("it is noisy",)))
    assert lines(report) == [
        "? cannot tell    w 4 digits   your point only",
        "  note  it is noisy",
        "  an error above 2e-04 of w's gradient would have shown",
    ]


def test_without_the_source_there_is_a_verdict_and_it_says_why_no_more():
    mistake = Mistake("w1", None, wrong=("w1",))
    report = Report(findings(gradients={"w1": WRONG}, mistakes=(mistake,), located=False))
    assert lines(report)[0] == "✗ the gradient of w1 is wrong    w1 off by 312 %"
    assert len(lines(report)) == 2
    assert "source" in lines(report)[1]
    assert report.notes == [lines(report)[1].removeprefix("  note  ")]


def test_several_mistakes_each_with_what_mends_it():
    more = Mistake("b1_gred", statement("b1_gred = delta2.sum(1)", 12), "∂L/∂b1", "bias-wrong-axis", "along rows")
    steps = (*BROKEN.steps, Step("b1_gred", 12, "∂L/∂b1", "wrong"), Step("total", 13, "", "follows"))
    report = Report(findings(gradients={"w1": WRONG, "b1": WRONG}, steps=steps, mistakes=(DELTA2, more)))
    text = str(report)
    assert text.index("✗ should be ∂L/∂z1") < text.index("    12  b1_gred = delta2.sum(1)")
    assert "        along rows\n" in text  # its own words instead of the general ones
    assert "follows from delta2" in text
    assert "follows from b1_gred" in text
    assert report.first_wrong == "delta2"


def test_a_mistake_that_is_no_step_comes_first():
    """Such as the loss that is printed, or the return of a helper in another file."""
    loss = Mistake("loss", statement("loss = MSE(y, y_hat) / 2", 7), "", "factor-2", "MSE already halves")
    report = Report(
        findings(gradients={"w1": WRONG}, mistakes=(loss,), steps=(Step("delta1", 8, "∂L/∂z2", "follows"),))
    )
    assert lines(report)[1].startswith("     7  loss = MSE(y, y_hat) / 2")
    helper = statement("z1", 3, "leru", "/home/kim/helpers.py")
    report = Report(findings(gradients={"w1": WRONG}, mistakes=(Mistake("leru", helper),)))
    assert lines(report)[0].startswith("✗ leru is the first wrong step, in leru, helpers.py:3")


def test_its_own_headline():
    details = {"headline": "every gradient is exactly 2 × the gradient of loss"}
    assert lines(Report(findings(gradients={"w": WRONG}, mistakes=(DELTA2,), details=details)))[0] == (
        "✗ every gradient is exactly 2 × the gradient of loss, grades.py:10    w off by 312 %"
    )


@pytest.mark.parametrize(
    ("agreement", "said"),
    [
        (Agreement(0.5, 1e-12, 1.0), "off by 50 %"),
        (Agreement(2e-5, 1e-12, 1.0), "off by 2e-05 of its size"),
        (Agreement(57.0, 1e-12, 1.0), "off by 57 times its size"),
        (Agreement(24321.0, 1e-12, 1.0), "off by 24,000 times its size"),
        (Agreement(0.3, 0.0, 0.0), "should be 0, and is up to 0.3"),
        (Agreement(float("inf"), 1e-12, 1.0), "not finite"),
        (Agreement(float("inf"), 1e-12, 1.0, "has shape (3,), its parameter (3, 1)"), "has shape (3,), its parameter"),
    ],
)
def test_how_far_off(agreement, said):
    assert f"w {said}" in str(Report(findings(gradients={"w": agreement})))


def test_gradients_of_which_the_same_is_said_are_named_together():
    report = Report(findings(gradients={"w1": WRONG, "b1": SAME, "w2": WRONG, "b2": SAME}))
    assert lines(report) == ["✗ wrong    w1, w2 off by 312 %   b1, b2 right"]


def test_it_stays_short():
    gradients = {f"w{i}": WRONG if i % 3 == 0 else SAME for i in range(60)}
    right = [Step(f"delta{i}", i, f"∂L/∂z{i}", "right") for i in range(1, 31)]
    follows = [Step(f"grad{i}", 50 + i, "", "follows") for i in range(30)]
    steps = (*right, Step("delta2", 40, "∂L/∂z1", "wrong"), *follows)
    report = Report(findings(gradients=gradients, steps=steps, mistakes=(DELTA2,)))
    assert len(lines(report)) <= 20
    assert "16 more are wrong" in str(report)
    assert "the other 40 gradients at least 16 digits" in str(report)
    assert "27 steps before" in str(report) or "26 steps before" in str(report)
    assert "and 26 more" in str(report)
    assert len(lines(Report(findings("right", gradients=dict.fromkeys(gradients, SAME), steps=tuple(right))))) <= 6


def test_code_over_several_lines_keeps_its_indentation():
    source = "delta2 = np.dot(\n        delta1,\n            w2.T,\n        )"
    mistake = Mistake("delta2", statement(source), fix="delta2 = f(\n        z1)")
    text = str(Report(findings(gradients={"w1": WRONG}, mistakes=(mistake,))))
    assert "    10  delta2 = np.dot(    ✗ wrong\n    11      delta1,\n    12          w2.T,\n    13      )\n" in text
    assert "  fix   delta2 = f(         verified\n            z1)" in text


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("/home/kim/grades.py", ", grades.py:10 "),
        ("<ipython-input-5-8f3a>", ", In[5] line 10 "),
        ("<In[5]>", ", In[5] line 10 "),
        ("/tmp/ipykernel_812/34.py", ", line 10 "),
        ("<stdin>", ", line 10 "),
    ],
)
def test_where_it_stands(file, place):
    mistake = Mistake("delta2", statement("delta2 = z1", file=file))
    assert f"step{place}" in lines(Report(findings(gradients={"w": WRONG}, mistakes=(mistake,))))[0]


def test_every_cause_has_its_words():
    assert list(CAUSES) == [slug.strip() for slug in VOCABULARY.split("·")]
    for cause in CAUSES:
        words = in_words(cause, "delta2")
        assert "{" not in words
        assert not words.endswith(".")
        assert len(words) <= 92
    assert len(set(CAUSES.values())) == len(CAUSES)


# On what it is shown


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(report, stream):
    report.show(stream)
    return stream.getvalue()


def test_colour_on_a_terminal_only(monkeypatch, capsys):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    report = Report(BROKEN)
    coloured = shown(report, Terminal())
    assert "\033[1;31m✗ delta2" in coloured
    assert re.sub(r"\033\[[\d;]*m", "", coloured) == f"{report}\n" == shown(report, io.StringIO())
    report.show()
    assert capsys.readouterr().out == f"{report}\n"
    monkeypatch.setenv("NO_COLOR", "1")
    assert shown(report, Terminal()) == f"{report}\n"


@pytest.mark.parametrize("name", ["델타", "δ₂", "y\u0302", "delta2"])
def test_remarks_stand_below_each_other(name):
    steps = (Step(name, 8, "∂L/∂z2", "right"), Step("d", 9, "", "right"), Step("delta2", 10, "", "wrong"))
    report = Report(findings(gradients={"w1": WRONG}, steps=steps, mistakes=(DELTA2,)))
    columns = {width(line[: line.rindex("    ")]) for line in lines(report)[1:] if "✓" in line or "verified" in line}
    assert len(columns) == 1


class Table(HTMLParser):
    """The text of a page, and that its elements are closed in order."""

    def __init__(self, page):
        super().__init__()
        self.open, self.text, self.tags = [], "", set()
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data + " "


@pytest.mark.parametrize("made", [RIGHT, BROKEN])
def test_a_notebook_shows_the_same(made):
    report = Report(made)
    page = Table(report._repr_html_())
    assert page.text.split() == str(report).split()
    assert page.tags <= {"div", "b", "span", "table", "tr", "td"}


def test_what_users_write_is_escaped():
    mistake = Mistake("a<b", statement("d = a<b & (c > '<script>')"), "<i>", words="<script>", fix="d = '</td>'")
    report = Report(findings(gradients={"<w>": WRONG}, mistakes=(mistake,), notes=("<script>alert(1)</script>",)))
    page = Table(report._repr_html_())
    assert page.tags <= {"div", "b", "span", "table", "tr", "td"}
    assert "<script>alert(1)</script>" in page.text


@pytest.mark.parametrize("colour", COLOURS.values())
def test_colours_can_be_read_on_white_and_on_black(colour):
    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05

    assert luminance("#ffffff") / luminance(colour) > 4.2
    assert luminance(colour) / luminance("#111111") > 4.2
