"""Random programs: drawn by hypothesis, run by minigrad and by an independent model in NumPy.

`jets.py` has the arithmetic of values with derivatives, `model*.py` a small namespace that stands
for `torch` and runs the same source text, `draw*.py` the strategies, `check.py` the comparison.
"""
