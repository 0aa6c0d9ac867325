"""The benchmark of planted mistakes: that it is what it claims, and what `verify` makes of it."""

import ast
from pathlib import Path

import pytest

import autodiff as ad

from .planting import cases, networks, several
from .scoring import Rates, outcome, table

CASES = cases()
RIGHT = [case for case in CASES if case.is_right]
MISTAKES = [case for case in CASES if not case.is_right]
SEEDS = range(5)
LOOPS = {
    "adder_rnn", "bi_olkka", "blocao_llama", "camel_conv", "cbow", "cijfers_lezen", "conv1d", "forecast_rnn",
    "group_norm_maps", "gru_closure", "gru_quijote", "gru_verdict", "hapgyeok_yecheuk", "leitor_de_series",
    "local_level", "lstm_cell", "lstm_ifog", "lstm_tonalnist", "mayatnik_nazad",
    "mayatnik_regulyator", "neuron_by_neuron", "one_gate_rnn", "pooled_loops", "pure_python", "sample_loop",
    "scalar_neurons", "skipgram", "softmax_korean", "stars_factors",
    "svertka_znachki", "svm_naive", "tarea3_red_profunda", "text_conv", "tied_vectors", "tugas_cnn_daun",
    "two_way_tagger", "un_exemple", "varmelast_prognos", "xep_hang_tim_kiem",
}  # fmt: skip

CAUSES = set(
    """
    sign factor-2 factor-half factor-N factor-1/N factor-K factor-const
    missing-activation-derivative activation-derivative-at-activation output-form-on-preactivation
    activation-derivative-of-wrong-layer activation-derivative-twice derivative-of-another-activation
    wrong-local-derivative weight-not-transposed gradient-transposed updated-weights
    missing-weight-factor skipped-layer wrong-tensor-in-weight-gradient wrong-tensor-in-delta
    bias-not-reduced bias-wrong-axis reduced-too-early softmax-diagonal-only softmax-wrong-axis
    missing-target wrong-loss-derivative input-mutated aliasing function-returns-global
    stale-forward-values forward-differs accidental-broadcast integer-dtype wrong-shape
    matmul-for-elementwise elementwise-after-matmul missing-branch overwritten-not-accumulated
    accumulated-twice detached-branch off-by-one-index off-by-one-time regulariser-forgotten
    regulariser-scale regulariser-on-wrong-parameter relu-mask-from-wrong-tensor relu-mask-inverted
    epsilon-ignored ddof
    """.split()  # noqa: SIM905
)

needs_verify = pytest.mark.skipif(not hasattr(ad, "verify"), reason="autodiff.verify does not exist yet")


def some(chosen, everyday):
    """All of these in an exhaustive run; else a part of them."""
    return [pytest.param(one, id=str(one), marks=() if one in everyday else pytest.mark.exhaustive) for one in chosen]


@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.exhaustive) for k in SEEDS[1:])])
@pytest.mark.parametrize("network", some(networks(), networks()[::9]))
def test_right_ones_are_right_and_mistakes_are_wrong(network, seed):
    """By difference quotients of the user's own loss: autodiff has no part in it."""
    for case in network.cases():
        found = case.is_wrong(seed)
        assert bool(found) != case.is_right, f"{case}: {found} {case.edit}"


@pytest.mark.parametrize("network", some(networks(), networks()[1::9]))
def test_where_a_mistake_is_said_to_be_there_is_a_step_of_that_name(network):
    for case in network.cases():
        if not case.is_right:
            text = Path(case.user.__file__).read_text(encoding="utf-8").replace("'", '"')
            tree = ast.parse(text)
            names = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.expr)}
            names |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)} | {"return"}
            assert any(ast.unparse(ast.parse(at)) in names for at in several(case.edit.at)), case


def test_the_benchmark_is_large_and_covers_every_cause():
    mistakes = [case for case in CASES if not case.is_right]
    assert len(networks()) >= 16
    assert len(mistakes) >= 200
    assert sum(case.is_right for case in CASES) >= 35
    first = {several(case.edit.cause)[0] for case in mistakes}
    assert first == CAUSES | {None}
    assert {cause for case in mistakes for cause in several(case.edit.cause)} == first


def one_of_each_cause():
    """Of each cause the first mistake in a network without long loops, if there is one."""
    found = {}
    for case in sorted(MISTAKES, key=lambda case: case.network.name in LOOPS):
        found.setdefault(several(case.edit.cause)[0], case)
    return [*found.values()]


@needs_verify
@pytest.mark.parametrize("case", some(RIGHT, [case for case in RIGHT if case.network.name not in LOOPS][::20]))
def test_no_false_alarm(case):
    one = outcome(case, seed=0)
    assert not one.false_alarm, str(one)
    assert one.noted, str(one)
    assert one.untouched, str(one)


@needs_verify
@pytest.mark.parametrize("case", some(MISTAKES, [*one_of_each_cause(), *MISTAKES[::120]]))
def test_a_mistake_is_detected(case, monkeypatch):
    monkeypatch.setattr("autodiff.readers.verifying.mistakes.BUDGET", 0)  # seconds to explain it
    monkeypatch.setattr("autodiff.readers.verifying.mistakes.RUNS", 0)
    assert outcome(case, seed=0).detected


@needs_verify
def test_most_mistakes_are_explained():
    """One of every second cause here; what the goals are for all of them, `test_rates` says."""
    rates = Rates(tuple(outcome(case, seed=0) for case in one_of_each_cause()[::2]))
    assert rates.share("located") > 0.9, [str(one) for one in rates.outcomes if not one.located]
    assert rates.share("cause_wrong") < 0.05, [str(one) for one in rates.outcomes if one.cause_wrong]
    assert rates.share("fix_wrong") == 0


@needs_verify
@pytest.mark.exhaustive
@pytest.mark.parametrize("after_training", [False, True], ids=["random", "trained"])
@pytest.mark.parametrize("held_out", [False, True], ids=["tuned", "held out"])
def test_rates(held_out, after_training):
    chosen = [case for case in CASES if case.network.held_out == held_out]
    rates = Rates(tuple(outcome(case, seed, after_training) for case in chosen for seed in SEEDS))
    print(table(rates.outcomes))  # told where the test fails, and with -rP
    assert rates.share("detected") == 1
    assert rates.share("located") >= 0.97
    assert rates.share("cause_right") >= 0.80
    assert rates.share("cause_wrong") <= 0.02
    assert rates.share("fixed") >= 0.80
    assert rates.share("fix_wrong") == 0
    assert rates.false_alarms == 0
