"""The table of constructor arguments is that of the installed Keras."""

from __future__ import annotations

import runpy
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "generate_signatures.py"


def test_the_table_is_up_to_date() -> None:
    script = runpy.run_path(str(SCRIPT))
    assert script["render"]() == script["TARGET"].read_text(encoding="utf-8"), (
        "run: python scripts/generate_signatures.py"
    )
