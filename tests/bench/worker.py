"""One measured piece of work in a process of its own; its last line of output is JSON.

python -m tests.bench.worker MODULE:FUNCTION FOLDER OPTIONS
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.bench.measure import Meter, meter_words, own_peak, work_of


def main(arguments: list[str]) -> None:
    entry, folder, options = arguments
    meter = Meter()
    result = work_of(entry)(Path(folder), meter, **json.loads(options))
    print(json.dumps(meter_words(meter) | {"result": result, "own_peak_bytes": own_peak()}))


if __name__ == "__main__":
    main(sys.argv[1:])
