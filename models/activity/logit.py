"""Learn which candidate is the border of a set, from labels that are not exact.

People mark a border about where it is: most of them within a second of what the wrist did, some
several seconds off, and no two alike. So a label does not name the candidate that is the border; it
says how near the border should be. What is maximised is the probability of all labels,

    sum over sets of log( sum over candidates c of p(c) · nearness(c, label) )  -  ridge,

in which p is a conditional logit. It is EM with a damped Newton step: step by step a set gives its
weight to the candidate near its label that looks like other sets' borders. A label that is far off
bends nothing, because nearness has heavy tails.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.activity.settings import ActivitySettings
from models.arrays import Floats64, Indices
from models.softmax import softmax

BorderExample = tuple[Floats64, Floats64, float]
EVERY = 2  # candidates so close to each other teach the same
MAX_STEPS = 50
TOLERANCE = 1e-3  # of all labels' log probability


@dataclass(frozen=True, slots=True)
class BorderModel:
    """Weights of a conditional logit over candidate borders.

    Attributes:
        mean, scale: (f,) standardisation.
        weights: (f,).
    """

    mean: Floats64
    scale: Floats64
    weights: Floats64

    def probabilities(self, x: Floats64) -> Floats64:
        """(c,) of candidates with features (c, f); they sum to 1."""
        return softmax(((x - self.mean) / self.scale) @ self.weights)


@dataclass(frozen=True, slots=True)
class DesignMatrix:
    """The candidates of all examples, one below the other.

    Attributes:
        z: (r, f) standardised features of all candidates.
        near: (r,) how well each would agree with its set's label.
        first: (e,) row at which each set begins.
    """

    z: Floats64
    near: Floats64
    first: Indices

    def sums(self, rows: Floats64) -> Floats64:
        """(e,) or (e, f): sums over each set of something that each row has, (r,) or (r, f)."""
        return np.add.reduceat(rows, self.first, axis=0)

    def spread(self, per_set: Floats64) -> Floats64:
        """(r,) from (e,): a value of each set, repeated for each of its rows."""
        return np.repeat(per_set, np.diff(np.append(self.first, len(self.z))))


def nearness(at_s: Floats64, label_s: float, settings: ActivitySettings) -> Floats64:
    """(c,) how well candidates agree with a label: Cauchy's curve, 1 at the label."""
    return 1 / (1 + ((at_s - label_s) / settings.label_s) ** 2)


def fit_borders(
    mine: Sequence[BorderExample],
    others: Sequence[BorderExample],
    ridge: float,
    settings: ActivitySettings,
) -> BorderModel | None:
    """Learn one kind of border, beginning with what both kinds have in common.

    An end, seen backwards, is much like a start. So weights are learned on both kinds first, then
    on this kind alone, with a ridge that draws them to the common ones.

    Args:
        mine: candidate times (c,), their features (c, f) outside before inside, the labelled
            border in s. Those whose label lies outside the candidates are left out.
        others: the same of the other kind of border.
        ridge: penalty on what both kinds have in common, and on departing from that.
        settings: how exact labels are.

    Returns:
        None where no example of this kind is left.
    """
    kept, more = ([e for e in some if within(e, settings)] for some in (mine, others))
    if not kept:
        return None
    stacked = np.concatenate([x for _, x, _ in (*kept, *more)])
    mean, scale = stacked.mean(axis=0), stacked.std(axis=0) + 1e-6
    everything = design_of([*kept, *more], mean, scale, settings)
    common = fit_newton(everything, np.zeros(len(mean)), ridge)
    weights = fit_newton(design_of(kept, mean, scale, settings), common, ridge)
    return BorderModel(mean, scale, weights)


def within(example: BorderExample, settings: ActivitySettings) -> bool:
    """Whether a label lies among its candidates."""
    at_s, _, label_s = example
    return bool(at_s[0] - settings.border_step_s <= label_s <= at_s[-1] + settings.border_step_s)


def design_of(
    examples: Sequence[BorderExample], mean: Floats64, scale: Floats64, settings: ActivitySettings
) -> DesignMatrix:
    """Examples standardised and stacked, every second candidate of each.

    Args:
        examples: one or more.
        mean: (f,) of the features.
        scale: (f,) their deviation.
        settings: how exact labels are.
    """
    thin = [(at_s[::EVERY], x[::EVERY], label_s) for at_s, x, label_s in examples]
    counts = [len(at_s) for at_s, _, _ in thin]
    return DesignMatrix(
        z=(np.concatenate([x for _, x, _ in thin]) - mean) / scale,
        near=np.concatenate([nearness(at_s, label_s, settings) for at_s, _, label_s in thin]),
        first=np.cumsum([0, *counts[:-1]]).astype(np.intp),
    )


def fit_newton(design: DesignMatrix, towards: Floats64, ridge: float) -> Floats64:
    """(f,) weights at a top of the penalised log likelihood, uphill from `towards`.

    EM: each step takes the responsibilities at the present weights as given and maximises by one
    Newton step, halved until it leads upwards.
    """
    weights = towards
    value = penalised_log_likelihood(design, weights, towards, ridge)
    for _ in range(MAX_STEPS):
        step = newton_step(design, weights, towards, ridge)
        higher = penalised_log_likelihood(design, weights + step, towards, ridge)
        while higher < value and float(np.abs(step).max()) > TOLERANCE:
            step = step / 2
            higher = penalised_log_likelihood(design, weights + step, towards, ridge)
        if higher < value:
            break
        gained, weights, value = higher - value, weights + step, higher
        if gained < TOLERANCE:
            break
    return weights


# With responsibilities q, which sum to 1 in each set, EM maximises sum q·log p - ridge/2·|w - w0|²,
# p = softmax(z·w) within each set: the gradient is z'(q - p) - ridge·(w - w0), the negative Hessian
# the sum over sets of the covariance of z under p, plus ridge on the diagonal.
def newton_step(
    design: DesignMatrix, weights: Floats64, towards: Floats64, ridge: float
) -> Floats64:
    """(f,) the step to the top of the parabola, responsibilities held fixed."""
    z, p = design.z, probabilities(design, weights)
    agreeing = p * design.near
    responsibilities = agreeing / design.spread(design.sums(agreeing))
    gradient = (responsibilities - p) @ z - ridge * (weights - towards)
    expected = design.sums(z * p[:, None])
    negative_hessian = (z * p[:, None]).T @ z - expected.T @ expected
    negative_hessian.flat[:: len(weights) + 1] += ridge
    return np.linalg.solve(negative_hessian, gradient).astype(np.float64)


def probabilities(design: DesignMatrix, weights: Floats64) -> Floats64:
    """(r,) of each candidate; those of a set sum to 1."""
    utility = design.z @ weights
    top = np.maximum.reduceat(utility, design.first)
    raised = np.exp(utility - design.spread(top))
    return raised / design.spread(design.sums(raised))


def penalised_log_likelihood(
    design: DesignMatrix, weights: Floats64, towards: Floats64, ridge: float
) -> float:
    """Log probability of the labels, a scalar in nats, minus the ridge's penalty.

    Args:
        design: the examples.
        weights: (f,).
        towards: (f,) where the ridge draws them.
        ridge: of a squared step away from there.
    """
    agreeing = design.sums(probabilities(design, weights) * design.near)
    away = weights - towards
    return float(np.log(agreeing).sum()) - 0.5 * ridge * float(away @ away)
