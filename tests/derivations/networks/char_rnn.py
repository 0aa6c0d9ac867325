"""A vanilla recurrent net over four time steps: states in dictionaries by time, gradients collected on the way back."""

import numpy as np

vocab_size = 5


def lossFun(inputs, targets, hprev, Wxh, Whh, Why, bh, by):
    """
    inputs,targets are both list of integers.
    hprev is Hx1 array of initial hidden state
    returns the loss, gradients on model parameters
    """
    xs, hs, ys, ps = {}, {}, {}, {}
    hs[-1] = np.copy(hprev)
    loss = 0
    # forward pass
    for t in range(len(inputs)):
        xs[t] = np.zeros((vocab_size,1)) # encode in 1-of-k representation
        xs[t][inputs[t]] = 1
        hs[t] = np.tanh(np.dot(Wxh, xs[t]) + np.dot(Whh, hs[t-1]) + bh) # hidden state
        ys[t] = np.dot(Why, hs[t]) + by # unnormalized log probabilities for next chars
        ps[t] = np.exp(ys[t]) / np.sum(np.exp(ys[t])) # probabilities for next chars
        loss += -np.log(ps[t][targets[t],0]) # softmax (cross-entropy loss)
    # backward pass: compute gradients going backwards
    dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
    dbh, dby = np.zeros_like(bh), np.zeros_like(by)
    dhnext = np.zeros_like(hs[0])
    for t in reversed(range(len(inputs))):
        dy = np.copy(ps[t])
        dy[targets[t]] -= 1 # backprop into y
        dWhy += np.dot(dy, hs[t].T)
        dby += dy
        dh = np.dot(Why.T, dy) + dhnext # backprop into h
        dhraw = (1 - hs[t] * hs[t]) * dh # backprop through tanh nonlinearity
        dbh += dhraw
        dWxh += np.dot(dhraw, xs[t].T)
        dWhh += np.dot(dhraw, hs[t-1].T)
        dhnext = np.dot(Whh.T, dhraw)
    return loss, (dWxh, dWhh, dWhy, dbh, dby)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    V, H, T = user.vocab_size, 3, 4
    weights = rng.normal(size=(H, V)), rng.normal(size=(H, H)), rng.normal(size=(V, H)), rng.normal(size=(H, 1)), rng.normal(size=(V, 1))
    inputs, targets = ([int(i) for i in rng.permutation(V)[:T]] for _ in range(2))
    return call(user.lossFun, inputs, targets, rng.normal(size=(H, 1)), *weights, wrt=("Wxh", "Whh", "Why", "bh", "by"))


RIGHT = [
    Right("        dy = np.copy(ps[t])\n        dy[targets[t]] -= 1 # backprop into y\n", "        onehot = np.zeros_like(ps[t]); onehot[targets[t]] = 1\n        dy = ps[t] - onehot\n"),
    Right("        dy = np.copy(ps[t])\n        dy[targets[t]] -= 1 # backprop into y\n", "        dp = np.zeros_like(ps[t])\n        dp[targets[t]] = -1 / ps[t][targets[t]]\n        dy = (np.diagflat(ps[t]) - ps[t] @ ps[t].T) @ dp  # full Jacobian\n"),
    Right("dhraw = (1 - hs[t] * hs[t]) * dh", "dhraw = dh - dh * hs[t]**2"),
    Right("    for t in reversed(range(len(inputs))):\n", "    for t in range(len(inputs) - 1, -1, -1):\n"),
    Right("        dby += dy\n", "        dby = dby + dy\n"),
    Right("dhnext = np.dot(Whh.T, dhraw)", "dhnext = (dhraw.T @ Whh).T"),
]

MISTAKES = [
    Mistake("missing-target", ("dy", "dy[targets[t]]"), "        dy[targets[t]] -= 1 # backprop into y\n", ""),
    Mistake("sign", ("dy[targets[t]]", "dy"), "dy[targets[t]] -= 1 ", "dy[targets[t]] += 1 "),
    Mistake("off-by-one-time", ("dy[targets[t]]", "dy"), "dy[targets[t]] -= 1 ", "dy[targets[t-1]] -= 1 "),
    Mistake("off-by-one-time", "dWhh", "dWhh += np.dot(dhraw, hs[t-1].T)", "dWhh += np.dot(dhraw, hs[t].T)"),
    Mistake("off-by-one-time", "dWhy", "np.dot(dy, hs[t].T)", "np.dot(dy, hs[t-1].T)"),
    Mistake("off-by-one-time", "dhraw", "(1 - hs[t] * hs[t]) * dh", "(1 - hs[t-1] * hs[t-1]) * dh"),
    Mistake(("detached-branch", "missing-branch"), "dh", "dh = np.dot(Why.T, dy) + dhnext", "dh = np.dot(Why.T, dy)"),
    Mistake(("missing-activation-derivative", "skipped-layer"), "dhnext", "dhnext = np.dot(Whh.T, dhraw)", "dhnext = np.dot(Whh.T, dh)"),
    Mistake("weight-not-transposed", "dhnext", "np.dot(Whh.T, dhraw)", "np.dot(Whh, dhraw)"),
    Mistake(("missing-weight-factor", "skipped-layer"), "dhnext", "dhnext = np.dot(Whh.T, dhraw)", "dhnext = dhraw"),
    Mistake("overwritten-not-accumulated", "dWhh", "dWhh += np", "dWhh = np"),
    Mistake("overwritten-not-accumulated", "dby", "dby += dy", "dby = dy"),
    Mistake(("accumulated-twice", "factor-2"), "dbh", "dbh += dhraw", "dbh += dhraw + dhraw"),
    Mistake("missing-activation-derivative", "dhraw", "dhraw = (1 - hs[t] * hs[t]) * dh", "dhraw = dh"),
    Mistake("wrong-local-derivative", "dhraw", "(1 - hs[t] * hs[t])", "(1 + hs[t] * hs[t])"),
    Mistake("derivative-of-another-activation", "dhraw", "(1 - hs[t] * hs[t])", "hs[t] * (1 - hs[t])"),
    Mistake(("wrong-tensor-in-delta", "wrong-tensor-in-weight-gradient", "missing-activation-derivative"), "dWxh", "dWxh += np.dot(dhraw, xs[t].T)", "dWxh += np.dot(dh, xs[t].T)"),
    Mistake(("off-by-one-time", "missing-branch"), ("dWxh", "dWhy", "dy", "t"), "for t in reversed(range(len(inputs))):", "for t in reversed(range(1, len(inputs))):", fix=True),
    Mistake(("aliasing", "input-mutated", "stale-forward-values", None), ("h[:]", "h", "hs[t]", "hs[0]", "dWhy"), "        hs[t] = np.tanh(np.dot(Wxh, xs[t]) + np.dot(Whh, hs[t-1]) + bh) # hidden state\n", "        if t == 0: h = np.copy(hprev)\n        h[:] = np.tanh(np.dot(Wxh, xs[t]) + np.dot(Whh, h) + bh) # hidden state\n        hs[t] = h\n", fix=False),
    Mistake("factor-const", "dhnext", "dhnext = np.dot(Whh.T, dhraw)", "dhnext = 0.1 * np.dot(Whh.T, dhraw)"),
]
