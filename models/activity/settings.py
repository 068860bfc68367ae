"""Constants of activity models, with their units."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ActivitySettings:
    """How sets are found in a recording.

    Attributes:
        step_s: seconds from window to window.
        shrink: shrinkage of the covariance towards a sphere.
        other_frames: share of the training sums that are those of devices with other axes.
        score_clip: log odds of a window are clipped here.
        stay: probability that the next window is in the same state as this one.
        min_set_s: shorter segments are no sets.
        merge_gap_s: segments on either side of a shorter loss of samples are merged.
        max_pause_s: the same movement after a shorter pause is still the same set: nobody rests
            so briefly between two sets.
        similar_below: log distance to a set's core below which movement counts as similar.
        reach_s: how far from the first guess borders are searched.
        border_step_s: distance of candidate borders.
        core_s: what is left out at either end of a set to get its core.
        label_s: labels of borders are half as likely this far from the border as on it.
        start_ridge, end_ridge: penalty on the weights of either border: on the weights shared by
            both, and again on departing from those. Starts resemble each other more than ends do;
            chosen by leaving out one of the training days at a time.
        border_within_s: the border is placed where most probability lies within this.
        untrained_threshold: periodicity above which movement is exercise, without a model.
        untrained_scale: log odds per unit of periodicity, without a model.
        untrained_stay: `stay` without a model.
        untrained_reach_s: how far a set may be extended beyond what is periodic, without a model.
    """

    step_s: float = 0.5
    shrink: float = 0.05
    other_frames: float = 0.1
    score_clip: float = 60.0
    stay: float = 0.998
    min_set_s: float = 4.0
    merge_gap_s: float = 3.0
    max_pause_s: float = 8.0
    similar_below: float = 0.6
    reach_s: float = 8.0
    border_step_s: float = 0.1
    core_s: float = 2.0
    label_s: float = 1.0
    start_ridge: float = 3.0
    end_ridge: float = 30.0
    border_within_s: float = 2.0
    untrained_threshold: float = 0.35
    untrained_scale: float = 5.0
    untrained_stay: float = 0.99
    untrained_reach_s: float = 12.0


SETTINGS = ActivitySettings()
