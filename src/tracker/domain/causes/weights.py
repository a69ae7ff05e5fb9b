"""The features of a change that may have caused an incident, and how much each of them counts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NO_RECORDED_CAUSE: Final = "no_recorded_cause"
"""The name of the weight that stands against all changes: the score of a cause that was not recorded."""

DEFAULTS: Final[Mapping[str, float]] = {
    "same_service": 4.0,
    "dependency_1": 2.5,
    "dependency_2": 1.5,
    "caller_1": 1.0,
    "caller_2": 0.3,
    "same_environment": 2.0,
    "unknown_environment": 1.0,
    "age": -1.0,
    "old": -0.3,
    "running": 0.3,
    "failed": 0.8,
    "rolled_back": 2.0,
    "operation": 0.0,
    "drift": 0.0,
    "configuration": 0.4,
    "size": 0.4,
    "superseded": -0.7,
    "rare": 0.2,
    "incident_prone": 0.4,
    "overlaps": 0.2,
    "gradual": 0.3,
    "also_failing": 1.0,
    "mentioned": 2.0,
    "linked": 5.0,
    "other_place": -2.0,
    NO_RECORDED_CAUSE: 2.0,
}
"""The weight of each feature: the logarithm of the factor that 1 of it makes to the odds of a change.

`python -m bench.why --fit` computes them; docs/answers.md says from what.
"""


def read_weights(words: Iterable[str]) -> Mapping[str, float]:
    """Return the weights that words such as `age=-1.2` change, all others as they are by default.

    Raises:
        ValueError: One is not such a word; the message says what was expected.
    """
    weights = dict(DEFAULTS)
    for word in words:
        given = _WEIGHT.fullmatch(word)
        if given is None or given[1] not in weights:
            raise ValueError(
                f"expected one of {', '.join(weights)} and a number, such as age=-1.2; got {word!r}"
            )
        weights[given[1]] = float(given[2])
    return weights


_WEIGHT: Final = re.compile(r"([a-z_0-9]+)\s*=\s*([-+]?[0-9]{1,2}(?:\.[0-9]{1,9})?)")
