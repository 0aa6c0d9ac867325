"""The judge is judged: reports whose worth is known."""

from types import SimpleNamespace

import pytest

import autodiff as ad

from .planting import cases
from .scoring import Rates, outcome, table

CASE = next(case for case in cases() if str(case).startswith("seed_function") and case.edit.at == "delta1")  # a sign
SAID = {"verdict": "wrong", "first_wrong": "delta1", "cause": "sign", "notes": []}
FIX = "delta1 = (y_hat-y)*sigmoid_prime(z2)"


@pytest.fixture
def judged(monkeypatch):
    """The outcome where verify says this."""

    def judged(case=CASE, **said):
        report = SimpleNamespace(**{**SAID, "fix": FIX, **said})
        monkeypatch.setattr(ad, "verify", lambda *args, **keywords: report, raising=False)
        return outcome(case, seed=0)

    return judged


def test_the_expected_report_is_as_expected(judged):
    one = judged()
    assert one.as_expected
    assert not one.fix_wrong
    assert one.untouched


@pytest.mark.parametrize(
    "said",
    [{"verdict": "cannot tell"}, {"first_wrong": "w2_gred"}, {"cause": "factor-2"}, {"cause": None}, {"fix": None}],
)
def test_any_other_report_is_a_miss(judged, said):
    assert not judged(**said).as_expected


def test_naming_no_cause_is_not_naming_a_wrong_one(judged):
    assert not judged(cause=None).cause_wrong
    assert judged(cause="factor-2").cause_wrong


def test_a_fix_is_tried(judged):
    assert judged(fix="delta1 = (y_hat-y)").fix_wrong
    assert judged(fix="w2_gred = -a1.T.dot(delta1)").fix_wrong
    assert judged(fix="not Python").fix_wrong


def test_a_line_too_many_is_mended_by_a_comment(judged):
    twice = next(case for case in cases() if str(case).startswith("sample_loop") and case.edit.new.count("gc +=") == 2)
    assert not judged(twice, fix="# gc += hidden_deltas").fix_wrong
    assert judged(twice, fix="# gb += hidden_deltas").fix_wrong


def test_a_wrong_verdict_on_a_right_derivation_is_a_false_alarm(judged):
    right = next(CASE.network.cases())
    rates = Rates((judged(right), judged(right, verdict="right", notes=["the sum of it was checked"])))
    assert rates.false_alarms == 1
    assert rates.outcomes[1].as_expected
    assert not judged(right, verdict="right").as_expected  # without the note


def test_what_the_user_owns_must_stay_as_it_was(monkeypatch):
    def careless(step, *args, **keywords):
        args[0][:] = 0
        return SimpleNamespace(**SAID, fix=None)

    monkeypatch.setattr(ad, "verify", careless, raising=False)
    assert not outcome(CASE, seed=0).untouched


def test_an_error_of_verify_is_a_miss(monkeypatch):
    monkeypatch.setattr(ad, "verify", lambda *args: 1 / 0, raising=False)
    one = outcome(CASE, seed=0)
    assert "ZeroDivisionError" in one.verdict
    assert not one.detected
    assert "0.0%" in table([one])
