"""Values of any library in the types of JSON."""

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any


def plain(value: Any, *, zones: bool = True) -> Any:
    """A value in the types of JSON, apart from times, in lists, structs and maps too.

    Decimals become floats, numbers that JSON does not have (NaN, infinities) None, and keys text.

    Args:
        value: any.
        zones: whether times keep their zone. Without it they are those of UTC, as the mart's are.

    >>> plain({1: [Decimal("1.50"), 2, math.nan]})
    {'1': [1.5, 2, None]}
    """
    if isinstance(value, dict):
        return {
            str(plain(key, zones=zones)): plain(item, zones=zones) for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [plain(item, zones=zones) for item in value]
    if isinstance(value, Decimal):
        return plain(float(value))
    if isinstance(value, datetime) and value.tzinfo is not None and not zones:
        return value.astimezone(UTC).replace(tzinfo=None)
    return None if isinstance(value, float) and not math.isfinite(value) else value
