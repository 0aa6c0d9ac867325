r"""M1 Apprentissage profond -- polycopié n° 5, corrigé des exercices.

On dérive à la main un bloc « une tête d'attention + connexion résiduelle + normalisation de couche »,
avec l'erreur quadratique moyenne. Les tableaux ont la forme (lot, temps, canal) ; on note dZ = ∂E/∂Z.
"""

import numpy as np

EPS = 1e-2


def T(A):
    """Transposée des deux derniers axes."""
    return np.swapaxes(A, -1, -2)


# Exercice 1. Produit matriciel Y = X W sur un lot.
#   Montrer que dX = dY Wᵀ et dW = Σ_lot Xᵀ dY.
def lineaire_retour(X, W, dY):
    dX = dY @ W.T
    dW = (T(X) @ dY).sum(axis=0)
    return dX, dW


# Exercice 2. Attention  C = P V,  P = softmax(Q Kᵀ / √d)  (softmax sur la dernière dimension).
def attention(Q, K, V):
    S = Q @ T(K) / np.sqrt(Q.shape[-1])
    E = np.exp(S - S.max(axis=-1, keepdims=True))
    P = E / E.sum(axis=-1, keepdims=True)
    return P @ V, P


#   Réponse : la jacobienne du softmax est diag(p) - p pᵀ, d'où
def attention_retour(Q, K, V, P, dC):
    dV = T(P) @ dC
    dP = dC @ T(V)
    dS = P * (dP - (P * dP).sum(axis=-1, keepdims=True))
    dS = dS / np.sqrt(Q.shape[-1])
    dQ = dS @ K
    dK = T(dS) @ Q
    return dQ, dK, dV


# Exercice 3. Normalisation de couche  Y = γ N + β,  N = (U - μ)/σ,  σ² = var + ε, canal par canal.
def norme(U, gamma, beta):
    mu = U.mean(axis=-1, keepdims=True)
    var = ((U - mu) ** 2).mean(axis=-1, keepdims=True)
    N = (U - mu) / np.sqrt(var + EPS)
    return gamma * N + beta, N, var


#   Réponse :
def norme_retour(N, var, gamma, dY):
    sigma = np.sqrt(var + EPS)
    dgamma = (dY * N).sum(axis=(0, 1))
    dbeta = dY.sum(axis=(0, 1))
    dN = dY * gamma
    dU = (dN - dN.mean(axis=-1, keepdims=True) - N * (dN * N).mean(axis=-1, keepdims=True)) / sigma
    return dU, dgamma, dbeta


# Exercice 4. Assembler. L'entrée X est elle aussi apprise (plongement).
def bloc(X, Wq, Wk, Wv, Wo, gamma, beta, cible):
    Q, K, V = X @ Wq, X @ Wk, X @ Wv
    C, P = attention(Q, K, V)
    U = X + C @ Wo
    Y, N, var = norme(U, gamma, beta)
    ecart = Y - cible
    erreur = np.mean(ecart**2)

    dY = 2 * ecart / ecart.size
    dU, dgamma, dbeta = norme_retour(N, var, gamma, dY)
    dC, dWo = lineaire_retour(C, Wo, dU)
    dQ, dK, dV = attention_retour(Q, K, V, P, dC)
    dXq, dWq = lineaire_retour(X, Wq, dQ)
    dXk, dWk = lineaire_retour(X, Wk, dK)
    dXv, dWv = lineaire_retour(X, Wv, dV)
    dX = dU + dXq + dXk + dXv
    return erreur, (dX, dWq, dWk, dWv, dWo, dgamma, dbeta)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    B, L, D, d = 3, 5, 6, 4
    W = [0.6 * rng.normal(size=(D, d)) for _ in range(3)]
    weights = (rng.normal(size=(B, L, D)), *W, 0.6 * rng.normal(size=(d, D)))
    gamma, beta = rng.uniform(0.5, 1.5, size=D), rng.normal(size=D)
    names = ("X", "Wq", "Wk", "Wv", "Wo", "gamma", "beta")
    return call(user.bloc, *weights, gamma, beta, rng.normal(size=(B, L, D)), wrt=names)


RIGHT = [
    Right("    dW = (T(X) @ dY).sum(axis=0)\n", "    dW = np.einsum(\"bti,btj->ij\", X, dY)\n"),
    Right("    dW = (T(X) @ dY).sum(axis=0)\n", "    # on empile le lot et le temps\n    dW = X.reshape(-1, X.shape[-1]).T @ dY.reshape(-1, dY.shape[-1])\n"),
    Right(
        "    dS = P * (dP - (P * dP).sum(axis=-1, keepdims=True))\n    dS = dS / np.sqrt(Q.shape[-1])\n    dQ = dS @ K\n    dK = T(dS) @ Q\n",
        "    J = P[..., None] * (np.eye(P.shape[-1]) - P[..., None, :])\n    dS = np.einsum(\"btij,bti->btj\", J, dP)\n    racine = Q.shape[-1] ** 0.5\n    dQ = dS @ K / racine\n    dK = T(dS) @ (Q / racine)\n",
    ),
    Right(
        "    dU = (dN - dN.mean(axis=-1, keepdims=True) - N * (dN * N).mean(axis=-1, keepdims=True)) / sigma\n",
        "    # par la variance puis par la moyenne\n    dvar = -0.5 * (dN * N).sum(axis=-1, keepdims=True) / sigma**2\n    dcentre = dN / sigma + 2 * dvar * (N * sigma) / N.shape[-1]\n    dU = dcentre - dcentre.mean(axis=-1, keepdims=True)\n",
    ),
    Right("    dX = dU + dXq + dXk + dXv\n", "    dX = dU.copy()\n    for terme in (dXq, dXk, dXv):\n        dX += terme\n"),
]

ATT = ("dQ", "dK", "dV", "attention_retour", "return", "(dQ, dK, dV)")
LN = ("dU", "norme_retour", "return", "(dU, dgamma, dbeta)")
DS = "    dS = P * (dP - (P * dP).sum(axis=-1, keepdims=True))\n"
DU = "    dU = (dN - dN.mean(axis=-1, keepdims=True) - N * (dN * N).mean(axis=-1, keepdims=True)) / sigma\n"
FIRST = "attention_retour", "return", "(dQ, dK, dV)"

MISTAKES = [
    Mistake("softmax-diagonal-only", ("dS", *FIRST, "dQ"), DS, "    dS = P * (1 - P) * dP\n"),
    Mistake("softmax-wrong-axis", ("dS", *FIRST, "dQ"), DS, DS.replace("axis=-1", "axis=-2")),
    Mistake(("missing-activation-derivative", "skipped-layer"), ("dS", *FIRST, "dQ"), DS, "    dS = dP\n"),
    Mistake(("missing-branch", "wrong-local-derivative", "softmax-diagonal-only"), ("dS", *FIRST, "dQ"), DS, "    dS = P * dP\n"),
    Mistake(("factor-const", "wrong-local-derivative", "missing-branch"), ("dS", *FIRST, "dQ"), "    dS = dS / np.sqrt(Q.shape[-1])\n", "", fix=False),
    Mistake(("factor-const", "forward-differs", "wrong-local-derivative"), ("dS", *FIRST, "dQ"), "    dS = dS / np.sqrt(Q.shape[-1])\n", "    dS = dS / Q.shape[-1]\n"),
    Mistake(("weight-not-transposed", "gradient-transposed", "wrong-tensor-in-delta", None), ("dK", *FIRST), "    dK = T(dS) @ Q\n", "    dK = dS @ Q\n"),
    Mistake(("weight-not-transposed", "gradient-transposed", "wrong-tensor-in-delta", None), ("dV", *FIRST), "    dV = T(P) @ dC\n", "    dV = P @ dC\n"),
    Mistake(("wrong-tensor-in-delta", None), ("dQ", *FIRST), "    dQ = dS @ K\n", "    dQ = dS @ Q\n"),
    Mistake(("wrong-tensor-in-delta", None), ("dP", "dS", *FIRST, "dQ"), "    dP = dC @ T(V)\n", "    dP = dC @ T(K)\n"),
    Mistake(("wrong-tensor-in-delta", "wrong-tensor-in-weight-gradient", "off-by-one-index", None), ("dQ", "dK", "(dK, dQ, dV)"), "    dQ, dK, dV = attention_retour(Q, K, V, P, dC)\n", "    dK, dQ, dV = attention_retour(Q, K, V, P, dC)\n"),
    Mistake(("wrong-tensor-in-delta", None), (*ATT, "dP", "dS"), "attention_retour(Q, K, V, P, dC)\n    dXq", "attention_retour(Q, V, K, P, dC)\n    dXq"),
    Mistake(("missing-branch", "detached-branch"), "dX", "    dX = dU + dXq + dXk + dXv\n", "    dX = dXq + dXk + dXv\n"),
    Mistake(("missing-branch", "detached-branch"), "dX", "    dX = dU + dXq + dXk + dXv\n", "    dX = dU + dXq + dXv\n"),
    Mistake(("missing-branch", "wrong-local-derivative", "detached-branch"), LN, DU, DU.replace(" - dN.mean(axis=-1, keepdims=True)", "")),
    Mistake(("missing-branch", "wrong-local-derivative", "detached-branch"), LN, DU, DU.replace(" - N * (dN * N).mean(axis=-1, keepdims=True)", "")),
    Mistake(("factor-K", "factor-const", "wrong-local-derivative", None), LN, DU, DU.replace("N * (dN * N).mean(", "N * (dN * N).sum(")),
    Mistake(("missing-weight-factor", "skipped-layer"), ("dN", *LN), "    dN = dY * gamma\n", "    dN = dY\n"),
    Mistake(("epsilon-ignored", "forward-differs"), ("sigma", *LN), "    sigma = np.sqrt(var + EPS)\n", "    sigma = np.sqrt(var)\n"),
    Mistake(("wrong-local-derivative", "forward-differs", None), ("sigma", *LN), "    sigma = np.sqrt(var + EPS)\n", "    sigma = var + EPS\n"),
    Mistake(("bias-wrong-axis", "bias-not-reduced", "wrong-shape"), ("dgamma", "norme_retour", "return", "(dU, dgamma, dbeta)"), "    dgamma = (dY * N).sum(axis=(0, 1))\n", "    dgamma = (dY * N).sum(axis=0)\n"),
    Mistake(("factor-1/N", "factor-const", "bias-wrong-axis", None), ("dbeta", "norme_retour", "return", "(dU, dgamma, dbeta)"), "    dbeta = dY.sum(axis=(0, 1))\n", "    dbeta = dY.mean(axis=0).sum(axis=0)\n"),
    Mistake(("factor-half", "wrong-loss-derivative"), "dY", "    dY = 2 * ecart / ecart.size\n", "    dY = ecart / ecart.size\n"),
    Mistake(("factor-K", "factor-const", "wrong-loss-derivative", None), "dY", "    dY = 2 * ecart / ecart.size\n", "    dY = 2 * ecart / (len(X) * X.shape[1])\n"),
    Mistake(("wrong-tensor-in-weight-gradient", "skipped-layer"), ("dWo", "(dC, dWo)", "dW"), "lineaire_retour(C, Wo, dU)", "lineaire_retour(V, Wo, dU)"),
    Mistake(("wrong-tensor-in-delta", "wrong-tensor-in-weight-gradient", None), ("(dXk, dWk)", "dXk", "dWk", "dX", "dW"), "lineaire_retour(X, Wk, dK)", "lineaire_retour(X, Wk, dQ)"),
]
