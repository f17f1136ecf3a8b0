"""What may be said of methods from their finals: intervals, paired tests, corrections and plain sentences.

Reads tables of predictions and nothing else: numpy, scipy and pandas, no torch. docs/statistics.md has the formulas.
"""
