"""What models read: the layouts of wrist data, and the log of sets."""

from typing import Final, Literal, get_args

from schemas.errors import BadInput

InputLayout = Literal["wrist-acc6", "wrist-acc3"]
"""The layout of a recording, and `model_id` of what is learned from it: acceleration and rotation,
or acceleration alone."""
ACC6: Final = "wrist-acc6"
ACC3: Final = "wrist-acc3"
LAYOUTS: Final[tuple[InputLayout, ...]] = (ACC6, ACC3)

SETS: Final = "sets"
"""The `model_id` of families that read the journal, not a sensor."""
ModelInput = Literal[InputLayout, "sets"]
INPUTS: Final[tuple[ModelInput, ...]] = get_args(ModelInput)


def input_layout(text: str) -> InputLayout:
    """A layout from a column or a partition key.

    Raises:
        BadInput: there is no such layout.

    >>> input_layout("wrist-acc3")
    'wrist-acc3'
    """
    for layout in LAYOUTS:
        if text == layout:
            return layout
    raise BadInput(
        f"{text!r} is no layout of wrist data: {', '.join(LAYOUTS)}", field="model_id", value=text
    )
