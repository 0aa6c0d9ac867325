"""Un réseau écrit avec des listes : poids et biais par couche, activations softsign, boucle arrière sur les couches."""

import numpy as np

TAUX = 0.1


def softsign(z):
    return z / (1 + np.abs(z))


def derivee(z):
    return 1 / (1 + np.abs(z)) ** 2


def propagation(x, poids, biais):
    """Les sommes pondérées et les sorties de toutes les couches, l'entrée comprise."""
    sommes = []
    sorties = [x]
    for w, b in zip(poids, biais):
        s = sorties[-1] @ w + b
        sommes.append(s)
        sorties.append(softsign(s))
    return sommes, sorties


def cout(sortie, cible):
    # moitié de l'erreur quadratique, moyenne sur les exemples
    return 0.5 * np.sum((sortie - cible) ** 2) / len(cible)


def retropropagation(poids, biais, x, cible):
    n = len(x)
    sommes, sorties = propagation(x, poids, biais)
    erreur = cout(sorties[-1], cible)

    grad_poids = [np.zeros_like(w) for w in poids]
    grad_biais = [np.zeros_like(b) for b in biais]

    delta = (sorties[-1] - cible) / n * derivee(sommes[-1])
    for k in range(len(poids) - 1, -1, -1):
        grad_poids[k] = sorties[k].T @ delta
        grad_biais[k] = delta.sum(axis=0)
        if k > 0:
            delta = delta @ poids[k].T * derivee(sommes[k - 1])

    return erreur, grad_poids, grad_biais


def pas(poids, biais, x, cible):
    erreur, grad_poids, grad_biais = retropropagation(poids, biais, x, cible)
    return erreur, (grad_poids, grad_biais)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    n, tailles = 7, (3, 4, 4, 4)
    poids = [rng.normal(size=two) for two in zip(tailles[:-1], tailles[1:])]
    biais = [0.5 * rng.normal(size=one) for one in tailles[1:]]
    return call(user.pas, poids, biais, rng.normal(size=(n, 3)), rng.uniform(-0.8, 0.8, size=(n, 4)), wrt=("poids", "biais"))


RIGHT = [
    Right("derivee(sommes[k - 1])", "(1 - np.abs(sorties[k])) ** 2"),
    Right("        grad_poids[k] = sorties[k].T @ delta\n", "        for exemple, d in zip(sorties[k], delta):\n            grad_poids[k] += np.outer(exemple, d)\n"),
    Right("for k in range(len(poids) - 1, -1, -1):", "for k in reversed(range(len(poids))):"),
    Right("    delta = (sorties[-1] - cible) / n * derivee(sommes[-1])\n", "    ecart = sorties[-1]\n    ecart -= cible  # la sortie elle-même ne sert plus\n    delta = ecart * derivee(sommes[-1]) / n\n"),
    Right(
        "        grad_biais[k] = delta.sum(axis=0)\n        if k > 0:\n            delta = delta @ poids[k].T * derivee(sommes[k - 1])\n",
        "        grad_biais[k] = delta.sum(axis=0)\n        if k == 0:\n            break\n        delta = np.einsum('nj,ij->ni', delta, poids[k])\n        delta *= derivee(sommes[k - 1])\n",
    ),
]

BACK = "delta @ poids[k].T * derivee(sommes[k - 1])"
FIRST = "delta = (sorties[-1] - cible) / n * derivee(sommes[-1])"

MISTAKES = [
    Mistake(("off-by-one-index", "activation-derivative-of-wrong-layer"), "delta", "derivee(sommes[k - 1])", "derivee(sommes[k])"),
    Mistake("activation-derivative-at-activation", "delta", "derivee(sommes[k - 1])", "derivee(sorties[k])"),
    Mistake(("off-by-one-index", "wrong-tensor-in-weight-gradient"), "grad_poids[k]", "sorties[k].T @ delta", "sorties[k + 1].T @ delta"),
    Mistake("wrong-tensor-in-weight-gradient", "grad_poids[k]", "sorties[k].T @ delta", "(sommes[k - 1] if k > 0 else x).T @ delta"),
    Mistake("weight-not-transposed", "delta", BACK, "delta @ poids[k] * derivee(sommes[k - 1])"),
    Mistake("gradient-transposed", "grad_poids[k]", "sorties[k].T @ delta", "delta.T @ sorties[k]"),
    Mistake("missing-activation-derivative", "delta", FIRST, "delta = (sorties[-1] - cible) / n"),
    Mistake("missing-activation-derivative", "delta", BACK, "delta @ poids[k].T"),
    Mistake("missing-target", "delta", "(sorties[-1] - cible) / n", "sorties[-1] / n"),
    Mistake("sign", "delta", "(sorties[-1] - cible) / n", "(cible - sorties[-1]) / n"),
    Mistake("factor-2", ("delta", "erreur", "cout", "return"), FIRST, "delta = 2 * (sorties[-1] - cible) / n * derivee(sommes[-1])"),
    Mistake("factor-N", ("delta", "erreur", "cout", "return"), "(sorties[-1] - cible) / n", "(sorties[-1] - cible)"),
    Mistake(("off-by-one-index", "detached-branch", "missing-branch", None), ("grad_poids[k]", "grad_poids", "grad_biais[k]", "grad_biais", "return"), "range(len(poids) - 1, -1, -1)", "range(len(poids) - 1, 0, -1)", fix=False),
    Mistake(("wrong-local-derivative", None), ("derivee", "return", "delta"), "    return 1 / (1 + np.abs(z)) ** 2\n", "    return 1 / (1 + np.abs(z))\n"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative", None), ("derivee", "return", "delta"), "    return 1 / (1 + np.abs(z)) ** 2\n", "    return 1 / (1 + z ** 2)\n"),
    Mistake(("aliasing", "overwritten-not-accumulated", "wrong-shape", None), ("grad_biais", "grad_poids", "grad_biais[k]", "grad_poids[k]", "return"), "    grad_biais = [np.zeros_like(b) for b in biais]\n", "    grad_biais = grad_poids\n"),
    Mistake(("input-mutated", "aliasing", "activation-derivative-at-activation", "stale-forward-values", None), ("s", "sommes", "sorties", "delta", "propagation"), "        sorties.append(softsign(s))\n", "        s /= 1 + np.abs(s)\n        sorties.append(s)\n", fix=False),
    Mistake("updated-weights", ("delta", "poids[k]"), "        if k > 0:\n", "        poids[k] = poids[k] - TAUX * grad_poids[k]\n        if k > 0:\n"),
    Mistake(("bias-wrong-axis", "wrong-shape"), "grad_biais[k]", "delta.sum(axis=0)", "delta.sum(axis=1)"),
]
