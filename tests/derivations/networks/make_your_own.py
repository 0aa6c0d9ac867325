"""The popular book's class: column vectors, errors as target - output, weights wih and who, one query at a time."""

import numpy as np


class neuralNetwork:

    # initialise the neural network
    def __init__(self, inputnodes, hiddennodes, outputnodes, learningrate):
        # set number of nodes in each input, hidden, output layer
        self.inodes = inputnodes
        self.hnodes = hiddennodes
        self.onodes = outputnodes
        # link weight matrices, wih and who
        self.wih = np.random.normal(0.0, pow(self.inodes, -0.5), (self.hnodes, self.inodes))
        self.who = np.random.normal(0.0, pow(self.hnodes, -0.5), (self.onodes, self.hnodes))
        self.lr = learningrate
        # activation function is the sigmoid function
        self.activation_function = lambda x: 1 / (1 + np.exp(-x))
        pass

    # train the neural network
    def train(self, inputs_list, targets_list):
        # convert inputs list to 2d array
        inputs = np.array(inputs_list, ndmin=2).T
        targets = np.array(targets_list, ndmin=2).T

        # calculate signals into hidden layer
        hidden_inputs = np.dot(self.wih, inputs)
        # calculate the signals emerging from hidden layer
        hidden_outputs = self.activation_function(hidden_inputs)
        # calculate signals into final output layer
        final_inputs = np.dot(self.who, hidden_outputs)
        # calculate the signals emerging from final output layer
        final_outputs = self.activation_function(final_inputs)

        # output layer error is the (target - actual)
        output_errors = targets - final_outputs
        E = np.sum(output_errors ** 2) / 2
        output_deltas = output_errors * final_outputs * (1.0 - final_outputs)
        # hidden layer error is the output deltas, split by weights, recombined at hidden nodes
        hidden_errors = np.dot(self.who.T, output_deltas)
        hidden_deltas = hidden_errors * hidden_outputs * (1.0 - hidden_outputs)

        # the gradients point up hill
        grad_who = -np.dot(output_deltas, np.transpose(hidden_outputs))
        grad_wih = -np.dot(hidden_deltas, np.transpose(inputs))

        # update the weights
        self.who = self.who - self.lr * grad_who
        self.wih = self.wih - self.lr * grad_wih
        pass


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    n = user.neuralNetwork(3, 5, 2, 0.1)
    inputs, targets = rng.uniform(0.01, 1, size=(7, 3)).tolist(), rng.uniform(0.1, 0.9, size=(7, 2)).tolist()
    return call(n.train, inputs, targets, loss="E", gradients={"self.wih": "grad_wih", "self.who": "grad_who"})


UPDATE = "        self.who = self.who - self.lr * grad_who\n"
GRADIENTS = """        grad_who = -np.dot(output_deltas, np.transpose(hidden_outputs))
        grad_wih = -np.dot(hidden_deltas, np.transpose(inputs))
"""

RIGHT = [
    Right(UPDATE, "        self.who -= self.lr * grad_who\n"),
    Right("hidden_errors * hidden_outputs * (1.0 - hidden_outputs)", "hidden_errors * hidden_outputs - hidden_errors * hidden_outputs ** 2"),
    Right("np.transpose(hidden_outputs))\n", "hidden_outputs.T)\n"),
    Right(
        "        output_errors = targets - final_outputs\n        E = np.sum(output_errors ** 2) / 2\n",
        "        output_errors = targets - final_outputs\n        E = float(0)\n        for e in output_errors.T:\n            E = E + np.dot(e, e) / 2\n",
    ),
    Right("1 / (1 + np.exp(-x))", "0.5 * (1 + np.tanh(x / 2))"),
]

MISTAKES = [
    Mistake("missing-activation-derivative", "hidden_errors", "np.dot(self.who.T, output_deltas)", "np.dot(self.who.T, output_errors)"),
    Mistake("missing-activation-derivative", "output_deltas", "output_deltas = output_errors * final_outputs * (1.0 - final_outputs)", "output_deltas = output_errors"),
    Mistake("missing-activation-derivative", "hidden_deltas", "hidden_deltas = hidden_errors * hidden_outputs * (1.0 - hidden_outputs)", "hidden_deltas = hidden_errors"),
    Mistake("output-form-on-preactivation", "hidden_deltas", "hidden_errors * hidden_outputs * (1.0 - hidden_outputs)", "hidden_errors * hidden_inputs * (1.0 - hidden_inputs)"),
    Mistake("output-form-on-preactivation", "output_deltas", "output_errors * final_outputs * (1.0 - final_outputs)", "output_errors * final_inputs * (1.0 - final_inputs)"),
    Mistake(("wrong-local-derivative", None), "hidden_deltas", "hidden_errors * hidden_outputs * (1.0 - hidden_outputs)", "hidden_errors * (1.0 - hidden_outputs)"),
    Mistake(("wrong-local-derivative", None), "output_deltas", "output_errors * final_outputs * (1.0 - final_outputs)", "output_errors * final_outputs * (1.0 + final_outputs)"),
    Mistake("sign", "grad_wih", "grad_wih = -np.dot", "grad_wih = np.dot"),
    Mistake("sign", ("output_errors", "output_deltas"), "output_errors = targets - final_outputs", "output_errors = final_outputs - targets"),
    Mistake("sign", ("hidden_errors", "grad_wih"), "hidden_errors = np.dot(self.who.T, output_deltas)", "hidden_errors = -np.dot(self.who.T, output_deltas)"),
    Mistake("factor-half", ("E", "output_deltas", "output_errors"), "E = np.sum(output_errors ** 2) / 2", "E = np.sum(output_errors ** 2)"),
    Mistake("factor-N", ("E", "output_deltas", "output_errors"), "E = np.sum(output_errors ** 2) / 2", "E = np.sum(output_errors ** 2) / 2 / len(inputs_list)"),
    Mistake("factor-const", "grad_who", "grad_who = -np.dot", "grad_who = -self.lr * np.dot"),
    Mistake("updated-weights", ("hidden_errors", "self.who"), "        hidden_errors = np", "        self.who = self.who + self.lr * np.dot(output_deltas, hidden_outputs.T)\n        hidden_errors = np"),
    Mistake("wrong-tensor-in-weight-gradient", "grad_who", "np.transpose(hidden_outputs))", "np.transpose(hidden_inputs))"),
    Mistake("activation-derivative-twice", "grad_wih", GRADIENTS, GRADIENTS.replace("np.dot(hidden_deltas", "np.dot(hidden_deltas * hidden_outputs * (1.0 - hidden_outputs)")),
    Mistake("activation-derivative-of-wrong-layer", ("hidden_errors", "hidden_deltas"), "np.dot(self.who.T, output_deltas)", "np.dot(self.who.T, output_errors) * hidden_outputs * (1.0 - hidden_outputs)", fix=True),
    Mistake("forward-differs", ("output_errors", "output_deltas"), "output_errors = targets - final_outputs\n        E = np.sum(output_errors ** 2) / 2\n", "output_errors = targets - final_outputs\n        E = np.sum(output_errors ** 2) / 2\n        output_errors = targets - np.round(final_outputs, 1)\n"),
]
