"""A notebook: the data are globals, three layers, one-hot labels, mean cross entropy, and the training loop below."""

import numpy as np

rng = np.random.RandomState(1)
X_train = rng.rand(5, 3)
Y_train = np.eye(4)[[2, 0, 3, 1, 2]]      # one hot
losses = []

# %% activations

def relu(z):
    return np.maximum(z, 0)

def d_relu(z):
    return (z > 0).astype(float)

def tanh(z):
    return np.tanh(z)

def d_tanh(z):
    t = np.tanh(z)
    return 1 - t * t

def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)

# %% one pass forward and back

def cost_and_grads(W1, b1, W2, b2, W3, b3):
    Z1 = X_train @ W1 + b1
    A1 = relu(Z1)
    Z2 = A1 @ W2 + b2
    A2 = tanh(Z2)
    Z3 = A2 @ W3 + b3
    P = softmax(Z3)
    cost = -np.mean(np.sum(Y_train * np.log(P), axis=1))

    m = len(X_train)
    dZ3 = (P - Y_train) / m
    dW3 = A2.T @ dZ3
    db3 = np.sum(dZ3, axis=0)
    dA2 = dZ3 @ W3.T
    dZ2 = dA2 * d_tanh(Z2)
    dW2 = A1.T @ dZ2
    db2 = np.sum(dZ2, axis=0)
    dA1 = dZ2 @ W2.T
    dZ1 = dA1 * d_relu(Z1)
    dW1 = X_train.T @ dZ1
    db1 = np.sum(dZ1, axis=0)
    return cost, (dW1, db1, dW2, db2, dW3, db3)

# %% learning

def train(params, epochs=200, lr=0.5):
    for epoch in range(epochs):
        cost, grads = cost_and_grads(*params)
        losses.append(cost)
        params = [p - lr * g for p, g in zip(params, grads)]
        if epoch % 50 == 0:
            print(f"epoch {epoch:4d}   cost {cost:.4f}")
    return params


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    I, H1, H2, K = 3, 5, 5, 4  # square in the middle, and as many samples: wrong products run
    weights = [rng.normal(size=shape) for shape in ((I, H1), H1, (H1, H2), H2, (H2, K), K)]
    user.X_train, user.Y_train = rng.normal(size=(5, I)), np.eye(K)[[2, 0, 3, 1, 2]]
    return call(user.cost_and_grads, *weights)


import numpy as np

RIGHT = [
    Right("    dZ3 = (P - Y_train) / m\n    dW3 = A2.T @ dZ3\n    db3 = np.sum(dZ3, axis=0)\n", "    dZ3 = P - Y_train\n    dW3 = A2.T @ dZ3 / m\n    db3 = np.mean(dZ3, axis=0)\n    dZ3 = dZ3 / m\n"),
    Right("    dZ3 = (P - Y_train) / m\n", "    dP = -Y_train / P / m\n    dZ3 = P * (dP - np.sum(dP * P, axis=1, keepdims=True))\n"),
    Right("    dZ2 = dA2 * d_tanh(Z2)\n", "    dZ2 = dA2 * (1 - A2 ** 2)\n"),
    Right("    dZ1 = dA1 * d_relu(Z1)\n", "    dZ1 = dA1\n    dZ1[A1 <= 0] = 0\n"),
    Right("    cost = -np.mean(np.sum(Y_train * np.log(P), axis=1))\n", "    cost = np.log(np.exp(Z3).sum(axis=1)).mean() - (Y_train * Z3).sum() / X_train.shape[0]\n"),
    Right("    return e / e.sum(axis=1, keepdims=True)\n", "    e /= e.sum(axis=1, keepdims=True)\n    return e\n"),
    Right("    dA1 = dZ2 @ W2.T\n", "    dA1 = (W2 @ dZ2.T).T\n"),
    Right("def relu(z):\n    return np.maximum(z, 0)\n", "def relu(z):\n    z[z < 0] = 0      # Z1 is A1 now, and so is its mask\n    return z\n"),
]

MISTAKES = [
    Mistake("function-returns-global", ("tanh", "A2", "return"), "def tanh(z):\n    return np.tanh(z)\n", "A = np.tanh(rng.rand(5, 5))\n\ndef tanh(z):\n    a = np.tanh(z)\n    return A\n"),
    Mistake("function-returns-global", ("d_relu", "dZ1", "return"), "def d_relu(z):\n    return (z > 0).astype(float)\n", "mask = rng.rand(5, 5) > 0.5\n\ndef d_relu(z):\n    m = (z > 0).astype(float)\n    return mask\n"),
    Mistake("function-returns-global", ("softmax", "P", "return"), "    e = np.exp(z - z.max(axis=1, keepdims=True))\n    return e / e.sum(axis=1, keepdims=True)\n", "    e = np.exp(z - z.max(axis=1, keepdims=True))\n    p = e / e.sum(axis=1, keepdims=True)\n    return probs\n\nprobs = np.full((5, 4), 0.25)\n"),
    Mistake(("input-mutated", "aliasing", "stale-forward-values"), ("P", "cost", "dZ3"), "np.log(P), axis=1)", "np.log(P, out=P), axis=1)"),
    Mistake(("input-mutated", "activation-derivative-at-activation"), ("tanh", "A2", "Z2", "dZ2", "return", "z[:]", "np.tanh(z, out=z)", "d_tanh"), "def tanh(z):\n    return np.tanh(z)\n", "def tanh(z):\n    return np.tanh(z, out=z)\n"),
    Mistake(("aliasing", "input-mutated", "stale-forward-values"), ("A2", "hidden", "dW3", "dZ3"), "    m = len(X_train)\n", "    m = len(X_train)\n    hidden = A2\n    hidden *= 100   # in percent, for the plot\n"),
    Mistake(("aliasing", "input-mutated"), ("dZ2", "dA2", "dW2", "dA1"), "    dW2 = A1.T @ dZ2\n", "    dZ1 = dZ2\n    dZ1 *= d_relu(Z1)\n    dW2 = A1.T @ dZ2\n"),
    Mistake(("stale-forward-values", "forward-differs"), ("A1", "dW2", "dA1"), "    dW2 = A1.T @ dZ2\n", "    A1 = relu(X_train @ W1)   # forgot b1\n    dW2 = A1.T @ dZ2\n"),
    Mistake(("forward-differs", "stale-forward-values", "wrong-loss-derivative"), ("P", "dZ3"), "    m = len(X_train)\n", "    m = len(X_train)\n    P = np.eye(P.shape[1])[P.argmax(axis=1)]   # the prediction\n"),
    Mistake("updated-weights", ("W3", "dA2"), "    dA2 = dZ3 @ W3.T\n", "    W3 = W3 - 0.5 * dW3\n    dA2 = dZ3 @ W3.T\n"),
    Mistake("updated-weights", ("W2", "dA1"), "    dA1 = dZ2 @ W2.T\n", "    W2 -= 0.5 * dW2\n    dA1 = dZ2 @ W2.T\n"),
    Mistake("matmul-for-elementwise", "dZ2", "dA2 * d_tanh(Z2)", "dA2 @ d_tanh(Z2)"),
    Mistake("matmul-for-elementwise", "dZ1", "dA1 * d_relu(Z1)", "np.dot(dA1, d_relu(Z1))"),
    Mistake("elementwise-after-matmul", ("dW2", "dZ2"), "    dW2 = A1.T @ dZ2\n", "    dW2 = A1.T @ dA2 * d_tanh(Z2)\n"),
    Mistake("elementwise-after-matmul", ("dA1", "dZ1"), "    dA1 = dZ2 @ W2.T\n", "    dA1 = dA2 @ W2.T * d_tanh(Z2)\n"),
    Mistake("weight-not-transposed", "dA1", "dA1 = dZ2 @ W2.T", "dA1 = dZ2 @ W2"),
    Mistake("gradient-transposed", "dW2", "dW2 = A1.T @ dZ2", "dW2 = dZ2.T @ A1"),
    Mistake("softmax-wrong-axis", ("P", "softmax", "dZ3", "return"), "    return e / e.sum(axis=1, keepdims=True)\n", "    return e / e.sum(axis=0, keepdims=True)\n"),
    Mistake(("softmax-diagonal-only", "activation-derivative-twice"), "dZ3", "dZ3 = (P - Y_train) / m", "dZ3 = -Y_train / P / m * P * (1 - P)"),
    Mistake(("wrong-shape", "bias-wrong-axis"), "db3", "db3 = np.sum(dZ3, axis=0)", "db3 = np.sum(dZ3, axis=0, keepdims=True)"),
    Mistake(("bias-wrong-axis",), "db2", "db2 = np.sum(dZ2, axis=0)", "db2 = np.sum(dZ2, axis=1)"),
    Mistake("activation-derivative-of-wrong-layer", "dZ1", "dZ1 = dA1 * d_relu(Z1)", "dZ1 = dA1 * d_tanh(Z2)"),
    Mistake("derivative-of-another-activation", "dZ1", "dA1 * d_relu(Z1)", "dA1 * d_tanh(Z1)"),
    Mistake("wrong-tensor-in-delta", "dA1", "dA1 = dZ2 @ W2.T", "dA1 = A2 @ W2.T"),
    Mistake(None, "dZ2", "dA2 * d_tanh(Z2)", "np.abs(dA2) * Z2 / m", fix=False),
    Mistake(None, "dA1", "dA1 = dZ2 @ W2.T", "dA1 = np.exp(dZ2) @ W2.T - 3 * A1", fix=False),
]
