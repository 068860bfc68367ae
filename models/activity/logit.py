"""A conditional logit over candidate borders, learned from inexact labels.

People mark a border about where it is: most within a second of what the wrist did, some several
seconds off. So a label does not name the candidate that is the border; it says how near the border
should be. What is maximised is the probability of all labels,

    sum over sets of log( sum over candidates c of p(c) · agreement(c, label) )  -  ridge,

in which p is the logit. It is EM with a damped Newton step: each iteration moves a set's weight to
the candidate near its label that looks like other sets' borders. Labels that are far off hardly
count, because the agreement has heavy tails.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.activity.settings import ActivitySettings
from models.arrays import Floats64, Indices
from models.softmax import softmax

BorderExample = tuple[Floats64, Floats64, float]
CANDIDATE_STRIDE = 2  # neighbouring candidates are nearly the same
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
    """The stacked candidates of all examples.

    Attributes:
        z: (r, f) standardised features of all candidates.
        agreement: (r,) `label_agreement` of each with its set's label.
        first: (e,) row at which each set begins.
    """

    z: Floats64
    agreement: Floats64
    first: Indices

    def sums(self, rows: Floats64) -> Floats64:
        """(e,) or (e, f): sums over each set of something that each row has, (r,) or (r, f)."""
        return np.add.reduceat(rows, self.first, axis=0)

    def spread(self, per_set: Floats64) -> Floats64:
        """(r,) from (e,): a value of each set, repeated for each of its rows."""
        return np.repeat(per_set, np.diff(np.append(self.first, len(self.z))))


def label_agreement(at_s: Floats64, label_s: float, settings: ActivitySettings) -> Floats64:
    """(c,) how well candidates agree with a label: a Cauchy kernel, 1 at the label."""
    return 1 / (1 + ((at_s - label_s) / settings.label_s) ** 2)


def fit_borders(
    examples: Sequence[BorderExample],
    other_kind: Sequence[BorderExample],
    ridge: float,
    settings: ActivitySettings,
) -> BorderModel | None:
    """Learn one kind of border, with weights shared by both kinds as the prior.

    An end, read backwards, is much like a start. So weights are learned on both kinds first, then
    on this kind alone, with a ridge towards the shared ones.

    Args:
        examples: candidate times (c,), their features (c, f) outside before inside, the labelled
            border in s. Those whose label lies outside the candidates are left out.
        other_kind: the same of the other kind of border.
        ridge: penalty on the shared weights, and on departing from them.
        settings: how exact labels are.

    Returns:
        None where no example of this kind is left.
    """
    used, other_used = ([e for e in kind if within(e, settings)] for kind in (examples, other_kind))
    if not used:
        return None
    stacked = np.concatenate([x for _, x, _ in (*used, *other_used)])
    mean, scale = stacked.mean(axis=0), stacked.std(axis=0) + 1e-6
    both_kinds = design_of([*used, *other_used], mean, scale, settings)
    common = fit_newton(both_kinds, np.zeros(len(mean)), ridge)
    weights = fit_newton(design_of(used, mean, scale, settings), common, ridge)
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
    thinned = [
        (at_s[::CANDIDATE_STRIDE], x[::CANDIDATE_STRIDE], label_s) for at_s, x, label_s in examples
    ]
    counts = [len(at_s) for at_s, _, _ in thinned]
    return DesignMatrix(
        z=(np.concatenate([x for _, x, _ in thinned]) - mean) / scale,
        agreement=np.concatenate(
            [label_agreement(at_s, label_s, settings) for at_s, _, label_s in thinned]
        ),
        first=np.cumsum([0, *counts[:-1]]).astype(np.intp),
    )


def fit_newton(design: DesignMatrix, towards: Floats64, ridge: float) -> Floats64:
    """(f,) weights at a maximum of the penalised log likelihood, starting from `towards`.

    EM: each step holds the responsibilities at the present weights fixed and maximises by one
    Newton step, halved until the likelihood increases.
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
    """(f,) the Newton step, responsibilities held fixed."""
    z, p = design.z, probabilities(design, weights)
    agreeing = p * design.agreement
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
        towards: (f,) centre of the ridge penalty.
        ridge: penalty on the squared distance from it.
    """
    agreeing = design.sums(probabilities(design, weights) * design.agreement)
    away = weights - towards
    return float(np.log(agreeing).sum()) - 0.5 * ridge * float(away @ away)
