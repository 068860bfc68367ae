"""Pointers to the models that serve, as they are stored and as readers see them."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from store.models import ModelKey, StoredModel


class Promotion(NamedTuple):
    """A version, and the run that promoted it; without a version, the run that retired the model.

    >>> Promotion("", UUID(int=1)).retires, Promotion("9f86d081884c7d65", UUID(int=1)).retires
    (True, False)
    """

    version: str
    run_id: UUID

    @property
    def retires(self) -> bool:
        """Whether none of the owner's own models serves from here on."""
        return not self.version


class Challenger(NamedTuple):
    """A stored model that is a candidate to serve its owner."""

    owner: str
    model_id: str
    family: str
    version: str
    sha256: bytes
    run_id: UUID

    @classmethod
    def of(cls, model: StoredModel) -> "Challenger":
        """A stored model as a challenger."""
        return cls(*model.key, model.version, model.sha256, model.run_id)

    @property
    def key(self) -> ModelKey:
        """What the model is for."""
        return ModelKey(self.owner, self.model_id, self.family)


class Champion(NamedTuple):
    """Which version serves an owner, and which ones did before.

    An empty `version` means that the run retired the owner's model: none of the owner's own serves.

    Attributes:
        previous_version, previous_run_id: what served before; None where nothing did.
        earlier: the versions that served before those, newest first, including any withdrawn.
        rolled_back: the versions that an operator rolled back from and nobody promoted since, the
            last one first.
    """

    owner: str
    model_id: str
    family: str
    version: str
    sha256: bytes
    run_id: UUID
    previous_version: str | None
    previous_run_id: UUID | None
    promoted_at: datetime
    earlier: tuple[Promotion, ...] = ()
    rolled_back: tuple[str, ...] = ()

    @property
    def key(self) -> ModelKey:
        """What it serves."""
        return ModelKey(self.owner, self.model_id, self.family)

    @property
    def promotions(self) -> list[Promotion]:
        """The versions that it names with the runs that promoted them, newest first."""
        newest = (
            (self.version, self.run_id),
            (self.previous_version, self.previous_run_id),
        )
        named = [
            Promotion(version, run_id)
            for version, run_id in newest
            if version is not None and run_id is not None
        ]
        return [*named, *self.earlier]

    @property
    def named_versions(self) -> frozenset[str]:
        """All versions that it names, those that were rolled back included."""
        return frozenset(version for version, _ in self.promotions) | {*self.rolled_back}


class ServingVersion(NamedTuple):
    """The version that readers use; promotions by withdrawn runs are skipped."""

    owner: str
    model_id: str
    family: str
    version: str
    run_id: UUID
    promoted_at: datetime

    @property
    def key(self) -> ModelKey:
        """What it serves."""
        return ModelKey(self.owner, self.model_id, self.family)
