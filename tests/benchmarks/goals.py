"""The goals: ratios of our time (or memory) to a rival's, lower is better."""

EAGER = {
    "pytorch": {"seed": 0.33, "small": 0.37, "deep10": 0.50, "mnist": 0.50, "big": 0.50},
    "mygrad": {"seed": 0.25, "small": 0.35, "deep10": 0.35, "mnist": 0.90, "big": 1.00},
    "hips": {"seed": 0.12, "small": 0.18, "deep10": 0.14, "mnist": 0.70, "big": 0.62},
}
COMPILED = {  # ours over a rival
    ("numpy", "by-hand"): {"seed": 0.70, "small": 0.80, "deep10": 0.70, "mnist": 1.0, "big": 1.0},
    ("numba", "jax"): {"seed": 0.06, "small": 0.33, "deep10": 0.35, "mnist": 0.95, "big": 0.95},
    ("numba-loop", "jax-loop"): {"seed": 0.60, "small": 0.60, "deep10": 0.55, "mnist": 1.0},
    ("numba", "c"): {"seed": 1.3, "small": 1.1, "deep10": 1.1, "mnist": 1.05, "big": 1.05},
}
REAL = {("real-numpy", "real-jax"): 1.0, ("real-numba", "real-jax"): 1.0, ("real-numba", "real-pytorch"): 1.0}
SLACK = {"nn": 1.0, "loop": 1.0, "seed-style": 1.6}  # what each style of ours may take of the time that EAGER allows

MEMORY = 0.6  # peak growth over that of PyTorch in the same style:
MEMORY_RIVALS = {"nn": "pytorch", "loop": "pytorch", "seed-style": "torch-style"}
CHAIN_TIME = 0.5  # time over PyTorch's
CHAIN_BYTES = 400  # an operation
CHAIN_LEFT = 10  # what may be left when the chain is dropped, without the garbage collector: Python's own free lists
IMPORT_MS = 40.0  # `import autodiff` and the first backward pass, beyond `import numpy`
