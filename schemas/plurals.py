"""Numbers of things, in words."""


def plural(number: float, noun: str) -> str:
    """A rounded number with its noun.

    >>> plural(1, "row"), plural(1200, "row"), plural(1.2, "more set")
    ('1 row', '1,200 rows', '1 more set')
    """
    digits = f"{number:,.0f}"
    return f"{digits} {noun}{'' if digits == '1' else 's'}"
