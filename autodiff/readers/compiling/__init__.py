"""`compile`: a function as the NumPy program that a good programmer would have derived by hand.

trace       a function, recorded once, for values that will be others when it runs
draws       random generators, whose draws are recorded
shaped      arrays without values, so that recording a large function costs nothing
lines       what a program is made of
lower       from a graph to lines
rows        how our own functions are written with NumPy's
masks       gradients that are exactly zero where a branch was not taken
identities  what derivatives may be simplified by, to the bit
signature   which recorded functions have the same program
source      the program as one reads it
program     the program as it runs, with buffers
machine     the program for numba: loops, products, memory
elements    one element of a loop
module      the module that it is written to
native      what machine code is made of beside loops
matrices    products of matrices in machine code
build       machine code, compiled and kept on disk
page        which functions have machine code
compiled    compile
"""

from .compiled import Compiled, compile

__all__ = ["Compiled", "compile"]
