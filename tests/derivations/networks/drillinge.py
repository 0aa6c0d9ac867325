"""Drillingsverlust (triplet loss): drei Zweige mit denselben Gewichten, Einbettungen der Länge eins, alles auf Deutsch."""

import numpy as np

RAND = 0.3      # margin
EPS = 0.05


def vorwaerts(x, W1, b1, W2, b2):
    """Bild -> Einbettung auf der Einheitskugel"""
    netz1 = x @ W1 + b1
    aus1 = np.tanh(netz1)
    netz2 = aus1 @ W2 + b2
    laenge = np.sqrt(np.sum(netz2**2, axis=1, keepdims=True) + EPS)
    einbettung = netz2 / laenge
    merker = (x, netz1, aus1, netz2, laenge, einbettung)
    return einbettung, merker


def rueckwaerts(d_einbettung, merker, W2):
    x, netz1, aus1, netz2, laenge, einbettung = merker
    # Ableitung der Normierung: der Anteil entlang der Einbettung fällt weg
    anteil = np.sum(d_einbettung * einbettung, axis=1, keepdims=True)
    d_netz2 = (d_einbettung - anteil * einbettung) / laenge
    dW2 = aus1.T @ d_netz2
    db2 = np.sum(d_netz2, axis=0)
    d_aus1 = d_netz2 @ W2.T
    d_netz1 = d_aus1 * (1 - aus1**2)
    dW1 = x.T @ d_netz1
    db1 = np.sum(d_netz1, axis=0)
    return dW1, db1, dW2, db2


def verlust_und_gradienten(anker, positiv, negativ, W1, b1, W2, b2):
    anzahl = len(anker)
    ea, merker_a = vorwaerts(anker, W1, b1, W2, b2)
    ep, merker_p = vorwaerts(positiv, W1, b1, W2, b2)
    en, merker_n = vorwaerts(negativ, W1, b1, W2, b2)

    abstand_p = np.sum((ea - ep)**2, axis=1, keepdims=True)
    abstand_n = np.sum((ea - en)**2, axis=1, keepdims=True)
    s = abstand_p - abstand_n + RAND
    verlust = np.sum(np.log(1 + np.exp(s))) / anzahl        # weiche Variante von max(0, s)

    ds = 1 / (1 + np.exp(-s)) / anzahl
    d_ea = ds * 2 * (ea - ep) - ds * 2 * (ea - en)
    d_ep = -ds * 2 * (ea - ep)
    d_en = ds * 2 * (ea - en)

    gradienten = {"W1": np.zeros_like(W1), "b1": np.zeros_like(b1), "W2": np.zeros_like(W2), "b2": np.zeros_like(b2)}
    for d_e, merker in ((d_ea, merker_a), (d_ep, merker_p), (d_en, merker_n)):
        for name, teil in zip(("W1", "b1", "W2", "b2"), rueckwaerts(d_e, merker, W2)):
            gradienten[name] += teil
    return verlust, gradienten


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, D, H, E = 7, 4, 5, 3
    weights = rng.normal(size=(D, H)), rng.normal(size=H), rng.normal(size=(H, E)), rng.normal(size=E)
    return call(user.verlust_und_gradienten, *rng.normal(size=(3, N, D)), *weights)


RIGHT = [
    Right("    d_ea = ds * 2 * (ea - ep) - ds * 2 * (ea - en)\n", "    d_ea = 2 * ds * (en - ep)\n"),
    Right("    d_ep = -ds * 2 * (ea - ep)\n    d_en = ds * 2 * (ea - en)\n", "    d_ep = 2 * ds * (ep - ea)\n    d_en = -(d_ea + d_ep)\n"),
    Right("    d_netz2 = (d_einbettung - anteil * einbettung) / laenge\n", "    d_laenge = -np.sum(d_einbettung * netz2, axis=1, keepdims=True) / laenge**2\n    d_netz2 = d_einbettung / laenge + d_laenge * netz2 / laenge\n"),
    Right("    ds = 1 / (1 + np.exp(-s)) / anzahl\n", "    ds = np.exp(s) / (1 + np.exp(s)) / anzahl\n"),
    Right("            gradienten[name] += teil\n", "            gradienten[name] = gradienten[name] + teil\n"),
    Right("    netz2 = aus1 @ W2 + b2\n    laenge", "    netz2 = aus1 @ W2\n    netz2 += b2\n    laenge"),
]

MISTAKES = [
    Mistake("sign", ("d_ea", "d_ep"), "d_ep = -ds * 2 * (ea - ep)", "d_ep = ds * 2 * (ea - ep)"),
    Mistake("sign", "d_en", "d_en = ds * 2 * (ea - en)", "d_en = ds * 2 * (en - ea)"),
    Mistake(("sign", "wrong-local-derivative", None), "d_ea", "(ea - ep) - ds * 2 * (ea - en)", "(ea - ep) + ds * 2 * (ea - en)"),
    Mistake("missing-branch", "d_ea", "d_ea = ds * 2 * (ea - ep) - ds * 2 * (ea - en)", "d_ea = ds * 2 * (ea - ep)"),
    Mistake("factor-half", "d_ep", "d_ep = -ds * 2 * (ea - ep)", "d_ep = -ds * (ea - ep)"),
    Mistake(("wrong-tensor-in-delta", "missing-target", "wrong-loss-derivative", None), "d_en", "d_en = ds * 2 * (ea - en)", "d_en = ds * 2 * (ep - en)"),
    Mistake("factor-N", ("ds", "verlust"), "ds = 1 / (1 + np.exp(-s)) / anzahl", "ds = 1 / (1 + np.exp(-s))"),
    Mistake(("wrong-loss-derivative", "missing-activation-derivative", "derivative-of-another-activation", "wrong-local-derivative"), ("ds", "verlust"), "ds = 1 / (1 + np.exp(-s)) / anzahl", "ds = (s > 0) / anzahl"),
    Mistake(("wrong-loss-derivative", "wrong-local-derivative", "sign", None), "ds", "ds = 1 / (1 + np.exp(-s)) / anzahl", "ds = 1 / (1 + np.exp(s)) / anzahl"),
    Mistake(("missing-branch", "wrong-local-derivative"), "d_netz2", "(d_einbettung - anteil * einbettung) / laenge", "d_einbettung / laenge"),
    Mistake(("missing-activation-derivative", "missing-weight-factor", "wrong-local-derivative", None), "d_netz2", "(d_einbettung - anteil * einbettung) / laenge", "(d_einbettung - anteil * einbettung)"),
    Mistake(("wrong-tensor-in-delta", "wrong-local-derivative", "output-form-on-preactivation", None), "d_netz2", "(d_einbettung - anteil * einbettung) / laenge", "(d_einbettung - anteil * netz2) / laenge"),
    Mistake(("bias-wrong-axis", "accidental-broadcast", "softmax-wrong-axis", "wrong-local-derivative", None), ("anteil", "d_netz2"), "anteil = np.sum(d_einbettung * einbettung, axis=1, keepdims=True)", "anteil = np.sum(d_einbettung * einbettung, axis=0, keepdims=True)"),
    Mistake(("epsilon-ignored", "forward-differs", "stale-forward-values"), ("laenge", "d_netz2"), "    # Ableitung der Normierung", "    laenge = np.linalg.norm(netz2, axis=1, keepdims=True)\n    # Ableitung der Normierung"),
    Mistake("overwritten-not-accumulated", ("gradienten[name]", "gradienten"), "gradienten[name] += teil", "gradienten[name] = teil"),
    Mistake(("missing-branch", "detached-branch"), ("gradienten[name]", "gradienten", "d_e", "d_en", "(d_e, merker)"), ", (d_en, merker_n)):", "):"),
    Mistake(("stale-forward-values", "wrong-tensor-in-delta", "wrong-tensor-in-weight-gradient", "off-by-one-index", None), ("merker", "d_e", "d_en", "anteil", "d_netz2", "gradienten[name]", "(d_e, merker)"), "(d_en, merker_n)", "(d_en, merker_p)"),
    Mistake("weight-not-transposed", "d_aus1", "d_aus1 = d_netz2 @ W2.T", "d_aus1 = d_netz2 @ W2.reshape(W2.T.shape)"),
    Mistake("activation-derivative-at-activation", "d_netz1", "(1 - aus1**2)", "(1 - np.tanh(aus1)**2)"),
    Mistake("wrong-tensor-in-weight-gradient", "dW2", "dW2 = aus1.T @ d_netz2", "dW2 = netz1.T @ d_netz2"),
    Mistake(("bias-wrong-axis", "factor-1/N"), "db2", "db2 = np.sum(d_netz2, axis=0)", "db2 = np.mean(d_netz2, axis=0)"),
]
