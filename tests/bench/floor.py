"""The least that any program must do: read the same columns, write the same rows."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pyarrow.parquet as pq

from tests.bench.data import DATE
from tests.bench.measure import Meter
from tests.bench.rollups import outputs, request_files
from tests.bench.rollups_sql import COLUMNS, TABLES


def read_requests(folder: Path, meter: Meter) -> dict[str, Any]:
    """Decode once the columns that rollups read, on all cores, and drop them."""
    files = request_files(folder)
    rows = 0
    with meter:
        for batch in ds.dataset(files, format="parquet").to_batches(columns=list(COLUMNS)):
            rows += batch.num_rows
    return {"rows": rows}


def write_rollups(folder: Path, meter: Meter) -> dict[str, Any]:
    """Write once the rows that DuckDB wrote, which are in memory already."""
    tables = {n: pq.read_table(folder / "written" / "duckdb" / f"{n}.parquet") for n in TABLES}
    out = outputs(folder, "floor")
    with meter:
        for name, table in tables.items():
            pq.write_table(table, out / f"{name}.parquet")
    return {"rows": {name: len(table) for name, table in tables.items()}}


def read_landing(folder: Path, meter: Meter) -> dict[str, Any]:
    """Read what landed, once: Parquet decoded, lines unpacked and counted, nothing parsed."""
    records = 0
    with meter:
        landed = folder / "landing" / "requests" / f"date={DATE.isoformat()}"
        for file in sorted(landed.iterdir()):
            if file.suffix == ".parquet":
                records += sum(b.num_rows for b in pq.ParquetFile(file).iter_batches())
                continue
            content = file.read_bytes()
            lines = gzip.decompress(content) if file.suffix == ".gz" else content
            records += lines.count(b"\n")
    return {"records": records}
