"""The sections of the page: a protocol's question in words, and the figures that answer it."""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.report import Figure


@dataclass(frozen=True, slots=True)
class ProtocolSection:
    """A question with the figures that answer it.

    Attributes:
        key: "s1"; figures are named after it.
        title: short.
        asks: one or two sentences for a reader who does not know the protocol.
    """

    key: str
    title: str
    asks: str


SECTIONS = (
    ProtocolSection(
        "s1",
        "People who were never seen",
        "Ten people, seven shoulder exercises. A model of the others names what a stranger does.",
    ),
    ProtocolSection(
        "s2",
        "A model of one's own",
        "Each recording in five blocks of time; each block is asked with a model of the others.",
    ),
    ProtocolSection(
        "s3",
        "A few repetitions enrolled",
        "The first fifth of a recording is labelled, the last three fifths are asked.",
    ),
    ProtocolSection(
        "s4",
        "Exercise or idle, second by second",
        "A gym day that was never seen. Seconds within 2 s of a labelled border belong to the next "
        "question; figures over all seconds end in with_borders.",
    ),
    ProtocolSection(
        "s4b",
        "Where a set begins and ends",
        "The same days: how many borders of labelled sets are found within 2 s, and how many sets "
        "with both within 3 s. Nobody taps anything.",
    ),
    ProtocolSection(
        "s4c",
        "Gym exercises on a new day",
        "Each day is left out in turn and named by the others. What was done on one day only "
        "cannot be known on that day; such sets are counted apart.",
    ),
    ProtocolSection(
        "s5",
        "Repetitions",
        "Counted within one, and exactly. SPAR's twenty are nominal; the gym's counts were "
        "checked by eye where they looked wrong, and are reported as labelled beside.",
    ),
    ProtocolSection(
        "s6",
        "What was never taught",
        "Each exercise in turn is left out of everything: does the model know that it does not "
        "know?",
    ),
    ProtocolSection(
        "s7",
        "Acceleration alone, the other wrist, and watches worn otherwise",
        "The same questions without a gyroscope; left trained, right asked; and gym sets of a day "
        "that was left out, sent by a watch that is not worn as it says.",
    ),
    ProtocolSection(
        "form",
        "Both arms, and the end of a set",
        "Do a person's two arms do an exercise alike, more than those of different people? The "
        "correlation is over people, within exercises. And do sets get slower at the end?",
    ),
    ProtocolSection("s8", "What it costs", "Processor time on one core."),
)
ACC_ONLY = "_acc_only"


def section_of(name: str) -> str:
    """The key of the section that a figure belongs to.

    >>> section_of("s4b_start"), section_of("s1_windows_acc_only")
    ('s4b', 's7')
    """
    return "s7" if name.endswith(ACC_ONLY) else name.split("_", 1)[0]


def figures_of(section: ProtocolSection, figures: Sequence[Figure]) -> list[Figure]:
    """The figures of a section, those with a floor first."""
    mine = [figure for figure in figures if section_of(figure.name) == section.key]
    return sorted(mine, key=lambda figure: figure.floor is None)
