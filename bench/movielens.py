"""MovieLens-100k as counts: fetched inside a public wheel by name and hash, never shipped.

Harper & Konstan, ACM TiiS 2015. 943 people rated 1,682 films; a rating is taken as "did it", as
implicit feedback is: what a person did not rate is unknown, not disliked.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ingest.importers.wheel import fetch_wheel
from models.recommend.evaluate import split_entries
from models.recommend.features import Counts, counts_of

MEMBER = "recbole/dataset_example/ml-100k/ml-100k.inter"
DATA = "MovieLens-100k: 943 people, 1,682 films, 100,000 ratings as done or not done"
TESTED, VALIDATED = 0.25, 0.25
SEED = 1


@dataclass(frozen=True, slots=True)
class Split:
    """Parts of the entries, drawn at random.

    Attributes:
        fitted, validated: the training part again cut in two: settings are chosen on these alone.
        train: both together.
        test: chooses no setting. The score at the end sees it once; the time to a mark sees it
            after each number of sweeps.
    """

    fitted: Counts
    validated: Counts
    train: Counts
    test: Counts


def read_movielens(cache: Path) -> Counts:
    """People × films, every rating 1, in the order of their ids."""
    with (
        zipfile.ZipFile(fetch_wheel("recbole", cache)) as wheel,
        wheel.open(MEMBER) as member,
    ):
        table = np.loadtxt(member, skiprows=1)
    people, person = np.unique(table[:, 0], return_inverse=True)
    films, film = np.unique(table[:, 1], return_inverse=True)
    ones = np.ones(len(table))
    return counts_of(person, film, ones, table[:, 3], len(people), len(films))


def split(counts: Counts) -> Split:
    """75 % to learn, 25 % to judge; of the former a quarter chooses settings."""
    train, test = split_entries(counts, TESTED, SEED)
    fitted, validated = split_entries(train, VALIDATED, SEED)
    return Split(fitted, validated, train, test)
