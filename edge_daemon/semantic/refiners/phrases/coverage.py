"""Which phrases together say most of a picture: a facility-location function and greedy choices.

The score of a text as a whole is no guide to its composition: a mean over chunks falls with nearly
every phrase that is added, and a single phrase that fits one part beats a text that names them all.
So what is composed is coverage. Of a set S of phrases it is

    F(S) = sum over places of the weight of the best phrase in S for that place,

places being the parts of the picture, its scene and its light. F never falls when a phrase is added
and adds the less the more is said already (it is monotone and submodular), so synonyms and
confusions of what is said add next to nothing. For such functions the greedy choice of the phrase
with the highest gain reaches 1 - 1/e of what any set of as many phrases reaches (Nemhauser, Wolsey,
Fisher 1978). Under a budget of bytes the same holds of the greedy choice by gain per byte if it is
begun from every set of three phrases (Sviridenko 2004); without that, the better of the two greedy
choices is within half of it (Khuller, Moss, Naor 1999; Leskovec et al. 2007). Both are among the
first texts that are proposed, and the search judges between them.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def covered(weights: NDArray[np.float64], columns: Iterable[int]) -> NDArray[np.float64]:
    """What a set of phrases covers.

    Args:
        weights: float64 (R, P), as of `Evidence`.
        columns: Of the phrases.

    Returns:
        float64 (R,): the weight of the best of them in each row, 0 if there are none.
    """
    return weights[:, list(columns)].max(axis=1, initial=0.0)


def gains(weights: NDArray[np.float64], so_far: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each phrase would add to F.

    Args:
        weights: float64 (R, P).
        so_far: float64 (R,), from `covered`.

    Returns:
        float64 (P,), in parts.
    """
    return np.maximum(weights - so_far[:, None], 0.0).sum(axis=0)
