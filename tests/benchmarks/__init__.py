"""Benchmarks that anyone can run: `python -m tests.benchmarks`, from the root of the repository.

workloads.py      the networks, their data and their first weights
contestants/      one training step of the same network, as each library writes it
worker.py         a process with one contestant in it, and its parent's end of the pipe
measurements.py   what is measured, with contestants alternating
goals.py          the ratios to reach
sections.py       the tables of the report
__main__.py       the command line
"""
