"""What `draw` is made of, in the order of the work.

- values: which values of a graph are drawn; each has a card
- boxes: which layer a value belongs to
- folding: how a large graph becomes small: layers, repetitions, a cut
- measures: what the values are, and how large their gradients
- wording: names, formulas, rules
- picture: the picture as plain data: cards, arrows and boxes, with all their words
- sketch: from a graph to its pictures, with more or fewer layers folded
- safe: any text made safe to show
- text: the picture as lines of text
- dot: the picture in the language of Graphviz
- layout: Graphviz, wherever it is installed
- svg: Graphviz's SVG, ready to be shown
- page: the picture as a page that steps through it
"""
