"""The constants of finding sets, with their units."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ActivitySettings:
    """How sets are found in a recording.

    Attributes:
        step_s: seconds from window to window.
        shrink: share of the covariance replaced by a sphere.
        score_clip: log odds of a window beyond this are as good as certain.
        stay: probability that the next window is in the same state as this one.
        least_set_s: shorter segments are no sets.
        join_s: segments on either side of lost samples are one when the gap is shorter.
        breath_s: the same movement that goes on after a shorter pause is still the same set: nobody
            rests so briefly between two sets.
        unlike: movement at a smaller log distance from a set's middle is like it.
        reach_s: how far a border is looked for around the first guess.
        border_step_s: distance of candidate borders.
        core_s: what is left out at either end to get the middle of a set.
        label_s: labels of borders are half as likely this far from the border as on it.
        start_ridge, end_ridge: penalty on the weights of either border: on what both kinds have
            in common, and again on how far this kind departs from that. Starts resemble each
            other more than ends do; leaving days out inside the training days chooses these.
        border_within_s: the border is put where most probability lies within this.
        free_from: periodicity above which a wrist exercises, while nothing was learned.
        free_scale: log odds per unit of periodicity in that rule.
        free_stay: `stay` of that rule.
        free_reach_s: how far that rule looks beyond what is periodic.
    """

    step_s: float = 0.5
    shrink: float = 0.05
    score_clip: float = 60.0
    stay: float = 0.998
    least_set_s: float = 4.0
    join_s: float = 3.0
    breath_s: float = 8.0
    unlike: float = 0.6
    reach_s: float = 8.0
    border_step_s: float = 0.1
    core_s: float = 2.0
    label_s: float = 1.0
    start_ridge: float = 3.0
    end_ridge: float = 30.0
    border_within_s: float = 2.0
    free_from: float = 0.35
    free_scale: float = 5.0
    free_stay: float = 0.99
    free_reach_s: float = 12.0


SETTINGS = ActivitySettings()
