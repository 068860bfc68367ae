"""Which predictions give way to other sets, by their ids or times."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from store.predictions import Prediction
from store.sets import SetRow


def not_replaced(
    recognised: Sequence[Prediction], by: Sequence[Prediction | SetRow]
) -> list[Prediction]:
    """The predictions that no other set replaces, such as a confirmed one.

    One is replaced if a set has its id, wherever that lies now; if half of it overlaps such sets;
    or if it covers half of one.
    """
    ids = {other.set_id for other in by}
    spans = [(other.started_at, other.ended_at) for other in by]
    return [
        prediction
        for prediction in recognised
        if prediction.set_id not in ids and not _is_covered(prediction, spans)
    ]


def _is_covered(prediction: Prediction, others: Sequence[tuple[datetime, datetime]]) -> bool:
    """Whether half of a prediction lies in other sets, or half of one of them in it."""
    spans = [
        (max(start, prediction.started_at), min(end, prediction.ended_at)) for start, end in others
    ]
    overlaps = [max(timedelta(0), end - start) for start, end in spans]
    lengths = [end - start for start, end in others]
    inside = sum(overlaps, timedelta(0)) * 2 >= prediction.ended_at - prediction.started_at
    return inside or any(
        overlap * 2 >= length > timedelta(0)
        for overlap, length in zip(overlaps, lengths, strict=True)
    )
