"""What spark-submit runs: the project's command, with the arguments that it is given.

It lies in a folder of its own because Python looks for modules beside the file it runs: beside
the jobs, `jobs/platform` would be taken for the standard library's `platform`.
"""

import os

from jobs.cli import main

if __name__ == "__main__":
    # Whoever submits it means Spark; a driver in a cluster has no environment that says so.
    os.environ["STILLWATCH_ENGINE"] = "spark"
    main()
