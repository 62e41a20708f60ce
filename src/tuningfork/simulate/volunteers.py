"""A panel of volunteers who look at a picture, and go down a decision tree as far as they can see.

Each answer has a log-odds for the average volunteer, which depends on how far the feature in question stands out of the
noise and the blur; each volunteer has a leniency that shifts it. The tree is the Galaxy Zoo challenge's.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tuningfork.schemas import TreeSchema
from tuningfork.simulate.profiles import Array
from tuningfork.simulate.truth import Generator, Truth

# The visibility (`Drawing.visibility`) at which the average volunteer is in two minds; chosen by looking at pictures.
_JUST_SEEN = {"arms": 1.4, "bar": 3.0, "ring": 3.0, "tails": 0.9, "clumps": 12.0, "edge-on": 4.0, "bulge": 2.5}
_SHARPNESS = 2.2  # how fast opinion turns with visibility: odds go as its power
_HIGHEST_ODDS = 40.0  # someone always clicks the other button
_LENIENCY = 0.6  # the volunteers' scatter, in log-odds

# What a lenient volunteer says sooner.
_LENIENT = {
    "smooth-or-featured": (0, 1, 0),
    "bar": (1, 0),
    "spiral-arms": (1, 0),
    "anything-odd": (1, 0),
    "arm-number": (0, 0, 0, 0, 0, -1),
}

Opinions = Mapping[str, Array]


def panel_size(rng: Generator) -> int:
    """How many volunteers look at one galaxy: 40 +- 10, at least 10."""
    return max(10, round(rng.normal(40, 10)))


def opinions(truth: Truth, visibility: Mapping[str, float]) -> Opinions:
    """The average volunteer's log-weight of each answer of the challenge's questions, by question name.

    Parameters
    ----------
    truth
        What was drawn.
    visibility
        Of each feature drawn, in units of `Drawing.visibility`; absent or 0 means there is none.
    """
    odds = {
        feature: min((visibility.get(feature, 0.0) / threshold) ** _SHARPNESS, _HIGHEST_ODDS)
        for feature, threshold in _JUST_SEEN.items()
    }
    star = truth.sim_class == "star-or-artifact"
    flatness = _apparent_axis_ratio(truth)
    dust = _or(truth.dust_optical_depth, 0.0) * min(odds["edge-on"], 1.0)
    bulge = max(_or(truth.bulge_to_total, 0.6), 0.015)
    boxy = _or(truth.bulge_boxiness, 2.0) > 2
    seen_bulge = odds["bulge"] if odds["edge-on"] else 1.0

    featured = 0.06 + min(sum(odds.values()) - odds["bulge"], _HIGHEST_ODDS) + (0.4 if flatness < 0.33 else 0)
    odd = 0.06 + min(0.7 * odds["ring"] + odds["tails"] + 0.6 * odds["clumps"] + 0.12 * dust, _HIGHEST_ODDS)
    return {
        "smooth-or-featured": np.log([1.0, featured, 60.0 * (1 + featured) if star else 0.015]),
        "edge-on": np.array([np.clip((0.33 - flatness) / 0.045, -3.7, 3.7), 0.0]),
        "bar": np.log([0.06 + odds["bar"], 1.0]),
        "spiral-arms": np.log([0.08 + odds["arms"] + 0.3 * min(odds["tails"], 1.0), 1.0]),
        "bulge-prominence": _near(np.log(bulge), np.log([0.02, 0.085, 0.27, 0.7]), 0.55),
        "anything-odd": np.log([odd, 1.0]),
        "roundedness": _near(flatness, [0.97, 0.62, 0.2], 0.12),
        "odd-feature": np.log(
            [
                0.02 + odds["ring"],
                0.04,  # a lens or arc is never drawn
                0.15 + 0.3 * odds["tails"] + 0.1 * odds["clumps"],
                0.15 + odds["clumps"],
                0.5,  # something else
                0.15 + odds["tails"],
                0.03 + 0.8 * dust,
            ]
        ),
        "bulge-shape": np.log(
            [0.05 + seen_bulge * (0.3 if boxy else 0.93), 0.02 + seen_bulge * (0.7 if boxy else 0.07), 1.0]
        ),
        "arm-winding": _near(_or(truth.pitch_angle, 18.0), [11.0, 18.0, 28.0], 4.5),
        "arm-number": _arm_number(truth, odds["arms"]),
    }


def vote(asked: Opinions, schema: TreeSchema, volunteers: int, rng: Generator) -> Array:
    """Let volunteers answer every question that their own answers lead to.

    Each picks the answer of the largest log-weight plus leniency plus Gumbel noise, which picks it with the softmax's
    probability.

    Returns
    -------
    The number of votes for each of `schema.columns`, (columns,) int64: a question's sum to those of its parents, or to
    `volunteers` where it has none.
    """
    leniency = rng.normal(0, _LENIENCY, volunteers)
    picked = np.zeros((volunteers, len(schema.columns)), dtype=bool)
    for question in schema.walk:
        weights = asked[question.name]
        lean = np.asarray(_LENIENT.get(question.name, np.zeros(len(weights))))
        noise = rng.gumbel(size=(volunteers, len(weights)))
        choice = np.argmax(weights + leniency[:, None] * lean + noise, axis=1)
        parents = picked[:, list(schema.parent_positions(question))]
        reached = parents.any(axis=1) if question.parents else np.ones(volunteers, dtype=bool)
        first = schema.slices[question.name].start
        picked[np.flatnonzero(reached), first + choice[reached]] = True
    votes: Array = picked.sum(axis=0)
    return votes


def _apparent_axis_ratio(truth: Truth) -> float:
    """The axis ratio after the atmosphere has blurred both axes alike; 1 where the truth has none."""
    blur = (truth.psf_fwhm / 2) ** 2
    length = truth.half_light_radius**2
    return float(np.sqrt((_or(truth.axis_ratio, 1.0) ** 2 * length + blur) / (length + blur)))


def _arm_number(truth: Truth, odds: float) -> Array:
    """Votes crowd on the true number and beside it; "can't tell" wins where arms are faint or flocculent."""
    numbers = np.arange(1, 6)
    if np.isnan(truth.arms):
        return np.array([-1.0, 0.5, -1.0, -1.5, -1.5, 1.0])
    clarity = 1.0 + 0.8 * np.log(0.2 + odds) - 1.2 * truth.flocculence
    counted = max(clarity, 0.3) * (1 - np.abs(numbers - min(truth.arms, 5.0)))
    return np.append(counted, 0.4 - 0.8 * clarity + 0.3 * (truth.arms > 2))


def _near(value: float, centres: Array | list[float], width: float) -> Array:
    """Log-weights of answers that stand for neighbouring values."""
    return -0.5 * ((value - np.asarray(centres)) / width) ** 2


def _or(value: float, otherwise: float) -> float:
    return otherwise if np.isnan(value) else value
