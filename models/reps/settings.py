"""Every constant of the repetition counter, with its unit and its reason, in one place."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RepsSettings:
    """How repetitions are counted.

    `evaluate` chooses the last three weights on four fifths of the people and days and reports
    the last fifth; the values below are those it chooses on all of them. The rest is the
    recipe as it was first measured.

    Attributes:
        work_rate_hz: samples a second of the signal that is counted.
        smooth_hz: low-pass of each sensor.
        trend_hz, trend_from_s: what is slower is removed from sets longer than this.
        clip: a sensor's distance from its median is cut off at so many typical distances.
        still_share: slower than this share of the 60th percentile of speed is still.
        least_rad_s, least_g_per_s: slower movement is no repetition. Sets have .18 rad/s and .22
            g/s at least; white noise of .015 g has .077.
        least_over_noise: where a wrist does not turn, acceleration is believed by itself if it is
            so many times what is rough in it; of noise it is 6 to 7.5 times.
        moving_share: this share of a set must be faster than that.
        moving_share_clear: or this share twice as fast, since a set may hold long rests. A minute's
            plank has a little of that at both ends.
        keep_edge_s: stillness that is left at either end.
        longest_gap_s: shorter gaps between pieces are bridged by a line, longer ones split.
        shortest_s, longest_s: limits of a repetition's duration.
        shortest_even_s, even_share: it may be as short as this where the movement is at least this
            much as like itself after that time as after any other.
        peaks, thirds_below_s, merge_share, most_candidates: how candidate periods are drawn up.
        per_period: samples a candidate period is resampled to.
        components, points: size of a template.
        smooth_share: sigma of the smoothing as a share of the period.
        shortest_copy, longest_copy, lengths: durations of a copy, in periods.
        least_gain, most_gain: sizes of a copy relative to the template.
        length_weight, gain_weight: price of departing from the period and from the template.
        pause_cost, skip_edge_cost, skip_cost: price of a sample outside every copy.
        refits: how often a template is fitted again to its copies.
        recentre_share: a period is moved to the median copy if that differs by more (log).
        edge_range_share: a first or last copy with a smaller share of the typical range is noise.
        inner_weight, inner_from: price of copies that hold a movement several times, by how much
            the likeness of their parts exceeds `inner_from`; set on simulated sets.
        variation_weight, period_weight: price of unequal durations and of long periods.
        partial_share: a cut-off repetition counts from this share of its duration on.
    """

    work_rate_hz: float = 25.0
    smooth_hz: float = 3.0
    trend_hz: float = 0.05
    trend_from_s: float = 25.0
    clip: float = 3.0
    still_share: float = 0.2
    least_rad_s: float = 0.1
    least_g_per_s: float = 0.08
    least_over_noise: float = 8.0
    moving_share: float = 0.4
    moving_share_clear: float = 0.15
    keep_edge_s: float = 0.3
    longest_gap_s: float = 3.0

    shortest_s: float = 0.8
    shortest_even_s: float = 0.4
    even_share: float = 0.9
    longest_s: float = 10.0
    peaks: int = 3
    thirds_below_s: float = 16.0
    merge_share: float = 0.12
    most_candidates: int = 8

    per_period: int = 24
    components: int = 4
    points: int = 16
    smooth_share: float = 1 / 18

    shortest_copy: float = 0.45
    longest_copy: float = 2.8
    lengths: int = 33
    least_gain: float = 0.5
    most_gain: float = 1.8
    length_weight: float = 0.35
    gain_weight: float = 0.3
    pause_cost: float = 0.15
    skip_edge_cost: float = 0.8
    skip_cost: float = 1.3
    refits: int = 3
    recentre_share: float = 0.15

    edge_range_share: float = 0.3
    inner_weight: float = 0.5
    inner_from: float = 0.5
    variation_weight: float = 0.9
    period_weight: float = 0.12
    partial_share: float = 0.5
