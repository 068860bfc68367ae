"""The expected state after a history, as a model without a store."""

from dataclasses import dataclass, field


@dataclass
class Model:
    """The expected state of a session."""

    held: set[tuple[int, int]] = field(default_factory=set)
    listed: tuple[tuple[int, int], ...] | None = None
    dead: set[tuple[int, int]] = field(default_factory=set)
    sets: dict[int, int | None] = field(default_factory=dict)  # content, None when deleted
    answers: dict[int, dict[int, int]] = field(default_factory=dict)  # revision -> next content
    revisions: dict[int, int] = field(default_factory=dict)
    labelled: dict[int, tuple[int, tuple[tuple[int, int], ...]]] = field(default_factory=dict)
    deleted: bool = False

    def counted(self) -> set[tuple[int, int]]:
        """The bodies that count."""
        return self.held if self.listed is None else set(self.listed)

    def project_lists(self) -> None:
        """The dead letters are the held bodies that the list leaves out."""
        if self.listed is not None:
            self.dead = (self.dead | self.held) - set(self.listed)

    def project(self, a: int) -> None:
        """Label a set with its chunks, if they are in and unambiguous."""
        counted = self.counted()
        if self.listed is None and len({seq for seq, _ in counted}) < len(counted):
            return
        mine = tuple(sorted(key for key in counted if key[0] in numbers_of(a)))
        if self.sets.get(a) is not None and mine and (self.listed is not None or len(mine) == 2):
            self.labelled[a] = (self.sets[a], mine)


def numbers_of(a: int) -> tuple[int, int]:
    """The chunk numbers that set a lies in."""
    return (2 * a, 2 * a + 1)
