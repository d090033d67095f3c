"""Public prompts as texts of a world: read where they lie, never copied into the project.

A folder has `prompts/<family>.jsonl.gz`, a JSON object a line with `family`, `kind` (`human`,
`support_bot` or `distillation`) and `prompt`.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from pathlib import Path

from jobs.platform.errors import StillwatchError


def read(folder: Path) -> dict[str, list[str]]:
    """Texts by the simulator's names: `honest`, `support_bot`, `distillation:<family>`.

    Raises:
        StillwatchError: there are no such files, they can't be read, or one side is missing.
    """
    texts: dict[str, list[str]] = defaultdict(list)
    for path in sorted((folder / "prompts").glob("*.jsonl.gz")):
        try:
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                for line in lines:
                    row = json.loads(line)
                    if row["prompt"].strip():
                        texts[_name(row["kind"], row["family"])].append(row["prompt"])
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise StillwatchError(
                f"the prompts in {path} can't be read ({type(error).__name__}); each line is a "
                "JSON object with family, kind and prompt"
            ) from error
    if "honest" not in texts or not any(name.startswith("distillation:") for name in texts):
        raise StillwatchError(
            f"{folder / 'prompts'} has no *.jsonl.gz with prompts of kinds human and distillation: "
            "leave --corpora out, or give a folder that has them"
        )
    return dict(texts)


def _name(kind: str, family: str) -> str:
    return {"human": "honest", "support_bot": "support_bot"}.get(kind, f"distillation:{family}")
