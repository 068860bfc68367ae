"""Traces of a set, computed farther around it, or less far, than recognition does."""

from models.activity.states import Span
from models.activity.traces import near_set, traces_near
from models.arrays import Floats64
from models.signal.wrist import WristSignal


def traces_within(signal: WristSignal, core_s: Span, near_s: float) -> Floats64:
    """`traces` of which only the rows within `near_s` of the core are computed."""
    return near_set(signal, core_s, near_s, lambda part, first: traces_near(part, first, core_s))
