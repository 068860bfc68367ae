"""The questions of docs/analysts.md."""

import re
from pathlib import Path

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "analysts.md"


def questions() -> list[str]:
    """The questions of the guide."""
    return re.findall(r"```sql\n(.*?)```", GUIDE.read_text(), re.DOTALL)
