"""Neural networks in NumPy, on top of `autodiff`. Named as in PyTorch; a batch is rows, a weight is (n_in, n_out).

    import nn

    model = nn.MLP([2, 4, 1], output="sigmoid", rng=0)
    history = nn.fit(model, X, y, loss=nn.mse, optimizer=nn.Adam(model.parameters()), epochs=100)

The map of the house, in the order in which to read it:

    nn.module      Module, Parameter: what a network is made of, and how its parameters are found, saved and shown
    nn.init        what parameters begin as; seeds
    nn.functional  activations as functions: sigmoid tanh relu softplus softmax log_softmax identity
    nn.layers      Linear, Dropout, Sequential, MLP; activations: Sigmoid Tanh ReLU Softplus Softmax LogSoftmax Identity
    nn.losses      mse squared_error cross_entropy binary_cross_entropy
    nn.optim       SGD, Adam
    nn.train       TrainStep, fit, History
"""

from nn.functional import identity, log_softmax, relu, sigmoid, softmax, softplus, tanh
from nn.layers import MLP, Dropout, Identity, Linear, LogSoftmax, ReLU, Sequential, Sigmoid, Softmax, Softplus, Tanh
from nn.losses import binary_cross_entropy, cross_entropy, mse, squared_error
from nn.module import Module, Parameter
from nn.optim import SGD, Adam
from nn.train import History, TrainStep, fit

__library__ = True  # all of it

__all__ = [
    "MLP",
    "SGD",
    "Adam",
    "Dropout",
    "History",
    "Identity",
    "Linear",
    "LogSoftmax",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "TrainStep",
    "binary_cross_entropy",
    "cross_entropy",
    "fit",
    "identity",
    "log_softmax",
    "mse",
    "relu",
    "sigmoid",
    "softmax",
    "softplus",
    "squared_error",
    "tanh",
]
