"""A tutorial in pure Python: the network is a list of layers, a layer a list of dicts, a neuron's weights a list."""

from math import exp

import numpy as np


# Calculate neuron activation for an input
def activate(weights, inputs):
    activation = weights[-1]
    for i in range(len(weights)-1):
        activation += weights[i] * inputs[i]
    return activation

# Transfer neuron activation
def transfer(activation):
    return 1.0 / (1.0 + np.exp(-activation))

# Forward propagate input to a network output
def forward_propagate(network, row):
    inputs = row
    for layer in network:
        new_inputs = []
        for neuron in layer:
            activation = activate(neuron['weights'], inputs)
            neuron['output'] = transfer(activation)
            new_inputs.append(neuron['output'])
        inputs = new_inputs
    return inputs

# Calculate the derivative of an neuron output
def transfer_derivative(output):
    return output * (1.0 - output)

# Backpropagate error and store in neurons
def backward_propagate_error(network, expected):
    for i in reversed(range(len(network))):
        layer = network[i]
        errors = list()
        if i != len(network)-1:
            for j in range(len(layer)):
                error = 0.0
                for neuron in network[i + 1]:
                    error += (neuron['weights'][j] * neuron['delta'])
                errors.append(error)
        else:
            for j in range(len(layer)):
                neuron = layer[j]
                errors.append(neuron['output'] - expected[j])
        for j in range(len(layer)):
            neuron = layer[j]
            neuron['delta'] = errors[j] * transfer_derivative(neuron['output'])

# What update_weights would subtract, for one row
def add_gradients(network, row, gradients):
    for i in range(len(network)):
        inputs = row
        if i != 0:
            inputs = [neuron['output'] for neuron in network[i - 1]]
        for k in range(len(network[i])):
            neuron = network[i][k]
            for j in range(len(inputs)):
                gradients[i][k][j] += neuron['delta'] * inputs[j]
            gradients[i][k][-1] += neuron['delta']

def train_network(hidden, output, dataset):
    network = [[{'weights': w} for w in hidden], [{'weights': w} for w in output]]
    gradients = [[[0.0 for _ in n['weights']] for n in layer] for layer in network]
    sum_error = 0
    for row, expected in dataset:
        outputs = forward_propagate(network, row)
        sum_error += sum([(expected[i]-outputs[i])**2 for i in range(len(expected))]) / 2
        backward_propagate_error(network, expected)
        add_gradients(network, row, gradients)
    return sum_error, gradients


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    hidden, output = rng.normal(size=(3, 3)).tolist(), rng.normal(size=(2, 4)).tolist()
    dataset = [(rng.normal(size=2).tolist(), rng.uniform(0.1, 0.9, size=2).tolist()) for _ in range(5)]
    return call(user.train_network, hidden, output, dataset, wrt=("hidden", "output"))


RIGHT = [
    Right("1.0 / (1.0 + np.exp(-activation))", "1.0 / (1.0 + exp(-activation))"),
    Right("errors.append(neuron['output'] - expected[j])", "errors.append(-(expected[j] - neuron['output']))"),
    Right("    activation = weights[-1]\n    for i in range(len(weights)-1):\n        activation += weights[i] * inputs[i]\n    return activation", "    return sum(w * x for w, x in zip(weights, [*inputs, 1.0]))"),
    Right("return output * (1.0 - output)", "return output - output ** 2"),
]

DELTA = ("neuron['delta']",)
WEIGHT = ("gradients[i][k][j]", "gradients[0][0][0]", "gradients")
BIAS = ("gradients[i][k][-1]", "gradients[0][0][-1]", "gradients")

MISTAKES = [
    Mistake("sign", (*DELTA, "errors"), "errors.append(neuron['output'] - expected[j])", "errors.append(expected[j] - neuron['output'])"),
    Mistake("missing-activation-derivative", DELTA, "neuron['delta'] = errors[j] * transfer_derivative(neuron['output'])", "neuron['delta'] = errors[j]"),
    Mistake("activation-derivative-twice", DELTA, "errors[j] * transfer_derivative(neuron['output'])", "errors[j] * transfer_derivative(neuron['output'])**2"),
    Mistake(("activation-derivative-at-activation", "wrong-local-derivative", None), (*DELTA, "transfer_derivative"), "return output * (1.0 - output)", "return transfer(output) * (1.0 - transfer(output))"),
    Mistake("wrong-local-derivative", (*DELTA, "transfer_derivative"), "return output * (1.0 - output)", "return output * (1.0 + output)"),
    Mistake("derivative-of-another-activation", (*DELTA, "transfer_derivative"), "return output * (1.0 - output)", "return 1.0 - output ** 2"),
    Mistake(("accumulated-twice", None), ("error", "errors", *DELTA), "            for j in range(len(layer)):\n                error = 0.0\n", "            error = 0.0\n            for j in range(len(layer)):\n"),
    Mistake("overwritten-not-accumulated", "error", "error += (neuron['weights'][j] * neuron['delta'])", "error = (neuron['weights'][j] * neuron['delta'])"),
    Mistake(("off-by-one-index", None), "error", "error += (neuron['weights'][j] * neuron['delta'])", "error += (neuron['weights'][j - 1] * neuron['delta'])"),
    Mistake("missing-weight-factor", "error", "error += (neuron['weights'][j] * neuron['delta'])", "error += neuron['delta']"),
    Mistake("overwritten-not-accumulated", WEIGHT, "gradients[i][k][j] += neuron", "gradients[i][k][j] = neuron"),
    Mistake("overwritten-not-accumulated", BIAS, "gradients[i][k][-1] += neuron", "gradients[i][k][-1] = neuron"),
    Mistake("factor-1/N", BIAS, "gradients[i][k][-1] += neuron['delta']", "gradients[i][k][-1] += neuron['delta'] / 5"),
    Mistake(("off-by-one-index", "missing-branch", None), WEIGHT, "for j in range(len(inputs)):\n", "for j in range(len(inputs) - 1):\n"),
    Mistake("factor-half", (*DELTA, "errors", "sum_error"), "for i in range(len(expected))]) / 2", "for i in range(len(expected))])"),
    Mistake(("wrong-tensor-in-weight-gradient", "off-by-one-index", None), (*WEIGHT, "inputs"), "inputs = [neuron['output'] for neuron in network[i - 1]]", "inputs = [neuron['delta'] for neuron in network[i - 1]]"),
    Mistake("aliasing", (*WEIGHT, "gradients"), "gradients = [[[0.0 for _ in n['weights']] for n in layer] for layer in network]", "gradients = [[[0.0] * len(layer[0]['weights'])] * len(layer) for layer in network]", fix=False),
]
