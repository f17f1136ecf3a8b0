"""Damages a binary file in a hundred ways, the same for the same seed."""

import numpy as np


def mutated(content, random, marks=()):
    """The content cut short, with bytes changed (near one of `marks`, too), or with a stretch reversed or missing."""
    content = bytearray(content)
    kind = int(random.integers(0, 4 if marks else 3))
    if kind == 0:
        del content[int(random.integers(0, len(content))) :]
    elif kind == 1:
        for place in random.integers(0, len(content), random.integers(1, 9)):
            content[place] = int(random.integers(0, 256))
    elif kind == 2:
        first, second = sorted(int(place) for place in random.integers(0, len(content), 2))
        content[first:second] = content[first:second][::-1] if random.integers(0, 2) else b""
    else:
        beginning = places(bytes(content), marks)
        for _ in range(int(random.integers(1, 4))):
            place = int(random.choice(beginning)) + int(random.integers(0, 120))
            content[min(place, len(content) - 1)] = int(random.integers(0, 256))
    return bytes(content)


def places(content, marks):
    """Where one of the marks stands."""
    return np.array([place for place in range(len(content)) if content.startswith(tuple(marks), place)])
