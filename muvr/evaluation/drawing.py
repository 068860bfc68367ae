"""Matplotlib figures as SVG with the page's colours, in light and dark mode."""

import io
from typing import Final

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

# Placeholder colours: each is replaced by a CSS variable of the page.
INK: Final = "#010203"
SOFT: Final = "#010204"
LINE: Final = "#010205"
ACCENT: Final = "#010206"
TRUTH: Final = "#010207"
ON_ACCENT: Final = "#010208"
AXES: Final = ("#010209", "#01020a", "#01020b")
VARIABLES: Final = {
    INK: "ink",
    SOFT: "soft",
    LINE: "line",
    ACCENT: "accent",
    TRUTH: "truth",
    ON_ACCENT: "on-accent",
    AXES[0]: "x",
    AXES[1]: "y",
    AXES[2]: "z",
}
BARE: Final = {"Date": None, "Creator": None, "Format": None, "Type": None}


def drawn(picture: Picture, says: str) -> str:
    """The picture as an SVG element, without a background.

    Args:
        picture: drawn in the colours of this module.
        says: its text alternative, for screen readers.
    """
    out = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "muvr", "font.size": 9.0}):
        picture.savefig(out, format="svg", transparent=True, bbox_inches="tight", metadata=BARE)
    text = out.getvalue()
    text = text[text.index("<svg") :]
    for placeholder, name in VARIABLES.items():
        text = text.replace(placeholder, f"var(--{name})")
    return text.replace("<svg", f'<svg role="img" aria-label="{says}"', 1)


def plain(axes: Axes) -> None:
    """Style axes: the page's colours, no box, a line below and thin ticks."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.tick_params(colors=SOFT, which="both", length=3)
    for label in (axes.xaxis.label, axes.yaxis.label, axes.title):
        label.set_color(INK)
