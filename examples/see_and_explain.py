"""See and explain: the notebook's network as a picture, and its gradient as the derivation that a person would write.

공부시간과 수면시간으로 성적을 예측하는 신경망의 역전파 유도. The forward pass is written as the notebook writes it;
from the graph that it leaves behind come the formulas, the deltas and the gradients, by the names that the code gives.

    python examples/see_and_explain.py
    python examples/see_and_explain.py --plot plots
"""

import argparse
from pathlib import Path

import numpy as np

import autodiff as ad

X = np.array([[3, 5], [5, 1], [10, 2]])  # 공부시간, 수면시간
y = np.array([[0.75], [0.82], [0.93]])  # 성적


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def main(argv=None):
    parser = argparse.ArgumentParser(description="The notebook's backpropagation, derived by the machine.")
    parser.add_argument("--seed", type=int, default=0, help="of the weights (default: 0)")
    parser.add_argument("--plot", type=Path, metavar="DIR", help="save the graph as a picture and as a page")
    arguments = parser.parse_args(argv)

    rng = np.random.default_rng(arguments.seed)
    W1 = ad.Tensor(rng.standard_normal((2, 4)))
    W2 = ad.Tensor(rng.standard_normal((4, 1)))
    z2 = X @ W1
    a2 = sigmoid(z2)
    z3 = a2 @ W2
    y_hat = sigmoid(z3)
    loss = np.sum((y - y_hat) ** 2) / 2
    loss.backward()

    print("The graph: values read down, gradients up, each with its rule:\n")
    print(ad.draw(loss))
    print("\nThe derivation, as autodiff reads it off the graph:\n")
    print(ad.explain(loss))
    print("\nThe same with the rule behind every line, for W1 alone:\n")
    print(ad.explain(loss, W1, rules=True))
    print("\nFor a page of mathematics, in LaTeX:\n")
    print(ad.explain(loss).latex)

    if arguments.plot:
        arguments.plot.mkdir(parents=True, exist_ok=True)
        for suffix in ("svg", "html"):
            ad.draw(loss).save(arguments.plot / f"graph.{suffix}")
        print(f"\nSaved {arguments.plot / 'graph.svg'}, and {arguments.plot / 'graph.html'} that steps through it.")


if __name__ == "__main__":
    main()
