"""JAX: value_and_grad under jit with donated buffers, one step a call or many in a fori_loop."""

import jax
import jax.numpy as jnp

from tests.benchmarks.workloads import Array, Problem, Real

jax.config.update("jax_enable_x64", True)


def loss(weights, X, y):
    a = X
    for W in weights:
        a = jax.nn.sigmoid(a @ W)
    return jnp.sum((a - y) ** 2) / 2


def update(weights, X, y, rate):
    value, gradients = jax.value_and_grad(loss)(weights, X, y)
    return value, [W - rate * g for W, g in zip(weights, gradients, strict=True)]


step = jax.jit(update, donate_argnums=0)


@jax.jit
def loop(weights, X, y, rate, n):
    return jax.lax.fori_loop(0, n, lambda _, weights: update(weights, X, y, rate)[1], weights)


class Jax:
    def __init__(self, problem: Problem) -> None:
        self.X, self.y = jnp.asarray(problem.X), jnp.asarray(problem.y)
        self.W = [jnp.asarray(W) for W in problem.weights]
        self.rate = self.X.dtype.type(problem.rate)

    def step(self) -> jax.Array:
        value, self.W = step(self.W, self.X, self.y, self.rate)
        return value.block_until_ready()

    def weights(self) -> list[Array]:
        return [jax.device_get(W) for W in self.W]


class Loop(Jax):
    def steps(self, n: int) -> None:
        self.W = loop(self.W, self.X, self.y, self.rate, n)
        self.W[0].block_until_ready()

    def step(self) -> None:
        self.steps(1)


def real_loss(parameters, X, labels):
    W1, b1, W2, b2 = parameters
    logits = jnp.maximum(X @ W1 + b1, 0) @ W2 + b2
    shifted = logits - jax.nn.logsumexp(logits, axis=1, keepdims=True)
    return -jnp.mean(shifted[jnp.arange(labels.shape[0]), labels])


@jax.jit
def real_step(parameters, mean, square, t, X, labels):
    value, gradients = jax.value_and_grad(real_loss)(parameters, X, labels)
    mean = [m + 0.1 * (g - m) for m, g in zip(mean, gradients, strict=True)]
    square = [0.999 * s + 0.001 * g * g for s, g in zip(square, gradients, strict=True)]
    parameters = [
        p - 1e-3 * (m / (1 - 0.9**t)) / (jnp.sqrt(s) / jnp.sqrt(1 - 0.999**t) + 1e-8)
        for p, m, s in zip(parameters, mean, square, strict=True)
    ]
    return value, parameters, mean, square


class RealNet:
    """mnist-real: shuffled minibatches of a network with biases, relu, softmax cross-entropy and Adam."""

    def __init__(self, problem: Real) -> None:
        self.X, self.labels, self.order, self.t = problem.X, problem.labels, problem.order, 0
        self.parameters = [jnp.asarray(p) for p in problem.parameters]
        self.mean, self.square = ([jnp.zeros_like(p) for p in self.parameters] for _ in range(2))

    def step(self) -> None:
        rows = self.order[self.t % len(self.order)]
        self.t += 1
        state = self.parameters, self.mean, self.square, jnp.float32(self.t)
        value, self.parameters, self.mean, self.square = real_step(*state, self.X[rows], self.labels[rows])
        value.block_until_ready()

    def weights(self) -> list[Array]:
        return [jax.device_get(p) for p in self.parameters]
