"""verify, in parts: the instrumented program, the truth, where it goes wrong, why, and the report."""
