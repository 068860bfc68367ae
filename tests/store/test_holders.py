"""No table with data of a user is forgotten by export and erasure."""

import re

from store.cql import read_migrations
from store.holders import ELSEWHERE, HOLDERS
from store.migrate import FOLDER

PERSONAL = {"user_id", "owner", "username", "followee"}
NOT_OF_USERS = {"job_leases"}  # its owner is a process


def test_every_table_that_names_a_user_is_a_holder() -> None:
    found = set()
    for migration in read_migrations(FOLDER):
        for statement in migration.statements:
            table = re.match(r"CREATE TABLE IF NOT EXISTS (\w+) \((.*)", statement, re.DOTALL)
            if table and PERSONAL & set(re.findall(r"(\w+) (?:uuid|text)", table[2])):
                found.add(table[1])
    assert found - NOT_OF_USERS == HOLDERS.keys() | ELSEWHERE.keys()
