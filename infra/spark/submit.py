"""What spark-submit runs: the project's command, with the arguments that it is given.

It lies in a folder of its own because Python looks for modules beside the file it runs: beside
the jobs, `jobs/platform` would be taken for the standard library's `platform`.
"""

import os
import sys
from pathlib import Path

# spark-submit puts each jar of spark.jars.packages on Python's path, too, where every look for
# installed packages reads them all: half a minute of a night. And it puts PySpark first as an
# archive, of which Python keeps nothing compiled; the installed one is the same.
sys.path[:] = [place for place in sys.path if not place.endswith(".jar")]
sys.path.sort(key=lambda place: Path(place).name.startswith(("pyspark.zip", "py4j-")))

if __name__ == "__main__":
    from jobs.cli import main

    # Whoever submits it means Spark; a driver in a cluster has no environment that says so.
    os.environ["STILLWATCH_ENGINE"] = "spark"
    main()
