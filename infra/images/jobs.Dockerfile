# The jobs: the command `stillwatch` with both engines, and what a Spark driver or executor needs.
# From the repository's root:
#     docker build -f infra/images/jobs.Dockerfile -t stillwatch-jobs .
#     docker run --env-file infra/airflow/airflow.env -v /srv/stillwatch:/srv/stillwatch \
#         stillwatch-jobs night --landing /srv/stillwatch/landing --lake /srv/stillwatch/lake \
#         --date 2026-05-03

FROM python:3.11.13-slim-bookworm AS build
WORKDIR /opt/stillwatch
RUN pip install --no-cache-dir uv==0.13.9
# Whoever runs it can't write beside the modules, and would compile them anew in every process.
ENV UV_COMPILE_BYTECODE=1
# The lock file first: a change of code does not install 1.5 GB again.
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --frozen --no-cache --no-default-groups --group jobs --group desk --no-install-project
COPY desk desk
COPY jobs jobs
COPY models models
RUN uv sync --frozen --no-cache --no-default-groups --group jobs --group desk --no-editable

FROM python:3.11.13-slim-bookworm
# Java for the engine `spark`; `sail` does without. procps: Spark's scripts call ps. tini: a
# container's first process has to pass signals on, or a cancelled task goes on working.
# Debian's own fixes are wanted at every build, so versions are left to the release.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends openjdk-17-jre-headless procps tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 stillwatch
# Owned by root: a job can't change what it runs.
COPY --from=build /opt/stillwatch/.venv /opt/stillwatch/.venv
COPY infra/spark /opt/stillwatch/infra/spark
# Driver and executors use the same Python, whatever else the node has.
ENV PATH=/opt/stillwatch/.venv/bin:$PATH \
    SPARK_CONF_DIR=/opt/stillwatch/infra/spark \
    PYSPARK_PYTHON=/opt/stillwatch/.venv/bin/python \
    PYTHONUNBUFFERED=1
# By number, so that a cluster that forbids root can see that it is none.
USER 10001
WORKDIR /home/stillwatch
ENTRYPOINT ["tini", "--", "stillwatch"]
CMD ["--help"]
