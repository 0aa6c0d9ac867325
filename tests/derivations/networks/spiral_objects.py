"""The book's classes for the spiral data: dinputs, dweights and dbiases are attributes, nothing is returned; L1 and L2."""

import numpy as np


# Dense layer
class Layer_Dense:

    def __init__(self, weights, biases, weight_regularizer_l1=0, weight_regularizer_l2=0, bias_regularizer_l2=0):
        self.weights = weights
        self.biases = biases
        # Set regularization strength
        self.weight_regularizer_l1 = weight_regularizer_l1
        self.weight_regularizer_l2 = weight_regularizer_l2
        self.bias_regularizer_l2 = bias_regularizer_l2

    # Forward pass
    def forward(self, inputs):
        # Remember input values
        self.inputs = inputs
        self.output = np.dot(inputs, self.weights) + self.biases

    # Backward pass
    def backward(self, dvalues):
        # Gradients on parameters
        self.dweights = np.dot(self.inputs.T, dvalues)
        self.dbiases = np.sum(dvalues, axis=0, keepdims=True)

        # Gradients on regularization
        if self.weight_regularizer_l1 > 0:
            dL1 = np.ones_like(self.weights)
            dL1[self.weights < 0] = -1
            self.dweights += self.weight_regularizer_l1 * dL1
        if self.weight_regularizer_l2 > 0:
            self.dweights += 2 * self.weight_regularizer_l2 * self.weights
        if self.bias_regularizer_l2 > 0:
            self.dbiases = self.dbiases + 2 * self.bias_regularizer_l2 * self.biases

        # Gradient on values
        self.dinputs = np.dot(dvalues, self.weights.T)


# ReLU activation
class Activation_ReLU:

    def forward(self, inputs):
        self.inputs = inputs
        self.output = np.maximum(0, inputs)

    def backward(self, dvalues):
        # Since we need to modify original variable, let's make a copy of values first
        self.dinputs = dvalues.copy()
        # Zero gradient where input values were negative
        self.dinputs[self.inputs <= 0] = 0


# Sigmoid activation
class Activation_Sigmoid:

    def forward(self, inputs):
        self.inputs = inputs
        self.output = 1 / (1 + np.exp(-inputs))

    def backward(self, dvalues):
        # Derivative - calculates from output of the sigmoid function
        self.dinputs = dvalues * (1 - self.output) * self.output


# Softmax activation
class Activation_Softmax:

    def forward(self, inputs):
        self.inputs = inputs
        # Get unnormalized probabilities
        exp_values = np.exp(inputs - np.max(inputs, axis=1, keepdims=True))
        # Normalize them for each sample
        self.output = exp_values / np.sum(exp_values, axis=1, keepdims=True)

    def backward(self, dvalues):
        # Create uninitialized array
        self.dinputs = np.empty_like(dvalues)
        # Enumerate outputs and gradients
        for index, (single_output, single_dvalues) in enumerate(zip(self.output, dvalues)):
            # Flatten output array
            single_output = single_output.reshape(-1, 1)
            # Calculate Jacobian matrix of the output
            jacobian_matrix = np.diagflat(single_output) - np.dot(single_output, single_output.T)
            # Calculate sample-wise gradient and add it to the array of sample gradients
            self.dinputs[index] = np.dot(jacobian_matrix, single_dvalues)


# Common loss class
class Loss:

    def regularization_loss(self, layer):
        regularization_loss = 0
        if layer.weight_regularizer_l1 > 0:
            regularization_loss += layer.weight_regularizer_l1 * np.sum(np.abs(layer.weights))
        if layer.weight_regularizer_l2 > 0:
            regularization_loss += layer.weight_regularizer_l2 * np.sum(layer.weights * layer.weights)
        if layer.bias_regularizer_l2 > 0:
            regularization_loss += layer.bias_regularizer_l2 * np.sum(layer.biases * layer.biases)
        return regularization_loss

    def calculate(self, output, y):
        sample_losses = self.forward(output, y)
        return np.mean(sample_losses)


# Cross-entropy loss
class Loss_CategoricalCrossentropy(Loss):

    def forward(self, y_pred, y_true):
        samples = len(y_pred)
        y_pred_clipped = np.clip(y_pred, 1e-7, 1 - 1e-7)
        correct_confidences = y_pred_clipped[range(samples), y_true]
        return -np.log(correct_confidences)

    def backward(self, dvalues, y_true):
        samples = len(dvalues)
        labels = len(dvalues[0])
        # If labels are sparse, turn them into one-hot vector
        if len(y_true.shape) == 1:
            y_true = np.eye(labels)[y_true]
        # Calculate gradient
        self.dinputs = -y_true / dvalues
        # Normalize gradient
        self.dinputs = self.dinputs / samples


def spiral_step(X, y, w1, b1, w2, b2, w3, b3):
    dense1 = Layer_Dense(w1, b1, weight_regularizer_l1=5e-3, weight_regularizer_l2=8e-3, bias_regularizer_l2=4e-2)
    activation1 = Activation_Sigmoid()
    dense2 = Layer_Dense(w2, b2, weight_regularizer_l2=2e-2)
    activation2 = Activation_ReLU()
    dense3 = Layer_Dense(w3, b3)
    activation3 = Activation_Softmax()
    loss_function = Loss_CategoricalCrossentropy()

    # Forward
    dense1.forward(X)
    activation1.forward(dense1.output)
    dense2.forward(activation1.output)
    activation2.forward(dense2.output)
    dense3.forward(activation2.output)
    activation3.forward(dense3.output)
    data_loss = loss_function.calculate(activation3.output, y)
    regularization_loss = loss_function.regularization_loss(dense1) + loss_function.regularization_loss(dense2)
    loss = data_loss + regularization_loss

    # Backward pass
    loss_function.backward(activation3.output, y)
    activation3.backward(loss_function.dinputs)
    dense3.backward(activation3.dinputs)
    activation2.backward(dense3.dinputs)
    dense2.backward(activation2.dinputs)
    activation1.backward(dense2.dinputs)
    dense1.backward(activation1.dinputs)

    return loss, (dense1.dweights, dense1.dbiases, dense2.dweights, dense2.dbiases, dense3.dweights, dense3.dbiases)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, sizes = 11, (2, 7, 5, 3)
    weights = []
    for a, b in zip(sizes, sizes[1:]):
        weights += [rng.normal(size=(a, b)), rng.normal(size=(1, b))]
    X, y = rng.normal(size=(N, 2)), rng.integers(0, 3, size=N)
    return call(user.spiral_step, X, y, *weights, wrt=("w1", "b1", "w2", "b2", "w3", "b3"))


RIGHT = [
    Right("    loss_function.backward(activation3.output, y)\n    activation3.backward(loss_function.dinputs)\n", "    activation3.dinputs = activation3.output.copy()\n    activation3.dinputs[range(len(y)), y] -= 1\n    activation3.dinputs = activation3.dinputs / len(y)\n"),
    Right("        self.dinputs = dvalues.copy()\n", "        self.dinputs = dvalues\n"),
    Right("            dL1 = np.ones_like(self.weights)\n            dL1[self.weights < 0] = -1\n", "            dL1 = np.sign(self.weights)\n"),
    Right("        self.dinputs = dvalues * (1 - self.output) * self.output\n", "        self.dinputs = dvalues * np.exp(-self.inputs) * self.output**2\n"),
    Right("            jacobian_matrix = np.diagflat(single_output) - np.dot(single_output, single_output.T)\n", "            jacobian_matrix = single_output * (np.eye(len(single_output)) - single_output.T)\n"),
    Right("        # Gradients on parameters\n", "        # the mean is taken here\n        assert dvalues.shape == self.output.shape\n        dvalues = np.array(dvalues)\n"),
]

MISTAKES = [
    Mistake("relu-mask-inverted", ("self.dinputs[self.inputs > 0]", "self.dinputs"), "self.dinputs[self.inputs <= 0] = 0", "self.dinputs[self.inputs > 0] = 0"),
    Mistake("relu-mask-from-wrong-tensor", ("self.dinputs[dvalues <= 0]", "self.dinputs"), "self.dinputs[self.inputs <= 0] = 0", "self.dinputs[dvalues <= 0] = 0"),
    Mistake("missing-activation-derivative", "self.dinputs", "        # Zero gradient where input values were negative\n        self.dinputs[self.inputs <= 0] = 0\n", "", fix=False),
    Mistake("factor-N", ("self.dinputs", "loss_function.dinputs", "data_loss", "loss"), "        # Normalize gradient\n        self.dinputs = self.dinputs / samples\n", ""),
    Mistake(("factor-const", "factor-K", "factor-N", None), ("self.dinputs", "loss_function.dinputs", "data_loss", "loss"), "self.dinputs = self.dinputs / samples", "self.dinputs = self.dinputs / labels"),
    Mistake("sign", ("self.dinputs", "loss_function.dinputs"), "self.dinputs = -y_true / dvalues", "self.dinputs = y_true / dvalues"),
    Mistake(("wrong-loss-derivative", "missing-activation-derivative"), ("self.dinputs", "loss_function.dinputs"), "self.dinputs = -y_true / dvalues", "self.dinputs = -y_true"),
    Mistake(("wrong-loss-derivative", "missing-target", None), ("self.dinputs", "loss_function.dinputs"), "self.dinputs = -y_true / dvalues", "self.dinputs = dvalues - y_true"),
    Mistake(("wrong-local-derivative", "regulariser-scale", "sign", None), ("dL1", "self.dweights"), "            dL1[self.weights < 0] = -1\n", "", fix=False),
    Mistake(("regulariser-scale", "wrong-local-derivative", "sign"), ("dL1", "dL1[self.weights > 0]", "self.dweights"), "dL1[self.weights < 0] = -1", "dL1[self.weights > 0] = -1"),
    Mistake(("regulariser-scale", "factor-half"), ("self.dweights", "regularization_loss", "loss"), "self.dweights += 2 * self.weight_regularizer_l2 * self.weights", "self.dweights += self.weight_regularizer_l2 * self.weights"),
    Mistake("overwritten-not-accumulated", "self.dweights", "self.dweights += 2 * self.weight_regularizer_l2", "self.dweights = 2 * self.weight_regularizer_l2"),
    Mistake("regulariser-forgotten", ("self.dbiases", "regularization_loss", "loss"), "        if self.bias_regularizer_l2 > 0:\n            self.dbiases = self.dbiases + 2 * self.bias_regularizer_l2 * self.biases\n", "", fix=False),
    Mistake("bias-wrong-axis", "self.dbiases", "np.sum(dvalues, axis=0, keepdims=True)", "np.sum(dvalues, axis=1, keepdims=True)"),
    Mistake(("factor-1/N", "bias-wrong-axis"), "self.dbiases", "np.sum(dvalues, axis=0, keepdims=True)", "np.mean(dvalues, axis=0, keepdims=True)"),
    Mistake(("wrong-tensor-in-delta", "updated-weights", None), "self.dinputs", "np.dot(dvalues, self.weights.T)", "np.dot(dvalues, self.dweights.T)"),
    Mistake("updated-weights", ("self.weights", "self.dinputs"), "        # Gradient on values\n", "        # Update, then gradient on values\n        self.weights = self.weights - 0.85 * self.dweights\n"),
    Mistake("softmax-diagonal-only", ("jacobian_matrix", "self.dinputs[index]", "self.dinputs"), "jacobian_matrix = np.diagflat(single_output) - np.dot(single_output, single_output.T)", "jacobian_matrix = np.diagflat(single_output * (1 - single_output))"),
    Mistake(("wrong-local-derivative", "sign", None), ("jacobian_matrix", "self.dinputs[index]", "self.dinputs"), "np.diagflat(single_output) - np.dot(", "np.diagflat(single_output) + np.dot("),
    Mistake("output-form-on-preactivation", "self.dinputs", "dvalues * (1 - self.output) * self.output", "dvalues * (1 - self.inputs) * self.inputs"),
    Mistake("wrong-local-derivative", "self.dinputs", "dvalues * (1 - self.output) * self.output", "dvalues * (1 - self.output)"),
    Mistake(("missing-activation-derivative", "skipped-layer"), ("dense2.backward", "dvalues", "self.dweights", "self.dinputs", "self.dbiases", "dense2.dweights", "dense2.dinputs"), "dense2.backward(activation2.dinputs)", "dense2.backward(dense3.dinputs)"),
]
