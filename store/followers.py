"""Ends all follows of users who are erased, whoever follows them."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from schemas.retention import TOMBSTONE_AHEAD
from schemas.times import us_of
from store.database import Database, Statement
from store.token_ranges import map_ranges

FILTERED_BY_NODE = 64
"""Users whose followers the node filters. It looks in each partition for every one of them: for
more users, reading all rows takes less."""
PAGE_ROWS = 5_000


async def end_follows(
    database: Database, followees: Iterable[UUID], now: datetime
) -> Counter[UUID]:
    """Delete the rows by which others follow these users, for good; how many each user had.

    Reads all of `follows`, once for all of them: too rare to be worth an index.

    Raises:
        DatabaseUnavailable: some may be left; call again.
    """
    wanted = frozenset(followees)
    if not wanted:
        return Counter()
    by_node = len(wanted) <= FILTERED_BY_NODE
    where, values = ("followee IN ? AND ", (sorted(wanted),)) if by_node else ("", ())
    select = (
        f"SELECT user_id, followee FROM follows WHERE {where}"
        "token(user_id) > ? AND token(user_id) <= ? ALLOW FILTERING"
    )
    delete = "DELETE FROM follows USING TIMESTAMP ? WHERE user_id = ? AND followee = ?"
    at_us = us_of(now + TOMBSTONE_AHEAD)

    async def end_in_range(tokens: tuple[int, int]) -> Counter[UUID]:
        """Delete the rows of one range of followers."""
        ended = Counter[UUID]()
        async for page in database.pages(select, (*values, *tokens), page_rows=PAGE_ROWS):
            rows = [row for row in page if row.followee in wanted]
            await database.run_all([Statement(delete, (at_us, *row)) for row in rows])
            ended.update(row.followee for row in rows)
        return ended

    return sum(await map_ranges(end_in_range), Counter[UUID]())
