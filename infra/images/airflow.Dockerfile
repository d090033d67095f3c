# Airflow with Stillwatch's DAGs: scheduler, DAG processor, API server, and workers.
# From the repository's root:
#     docker build -f infra/images/airflow.Dockerfile -t stillwatch-airflow .
#
# A worker starts the command or spark-submit, so its image has the jobs' group as well:
#     docker build -f infra/images/airflow.Dockerfile -t stillwatch-worker \
#         --build-arg INSTALL_GROUPS="--group airflow --group jobs --group desk" --build-arg JAVA=openjdk-17-jre-headless .
# A driver of a database other than sqlite, and an executor's provider, are a deployment's choice:
# add them in an image made from this one.

FROM python:3.11.13-slim-bookworm AS build
ARG INSTALL_GROUPS="--group airflow"
WORKDIR /opt/stillwatch
RUN pip install --no-cache-dir uv==0.13.9
# Whoever runs it can't write beside the modules, and would compile them anew in every process.
ENV UV_COMPILE_BYTECODE=1
COPY pyproject.toml uv.lock README.md LICENSE ./
# Several words on purpose: each group is an option of its own.
# hadolint ignore=SC2086
RUN uv sync --frozen --no-cache --no-default-groups $INSTALL_GROUPS --no-install-project
# The DAGs read the catalogue, which is part of the jobs; the rest of them is not imported here.
COPY desk desk
COPY jobs jobs
COPY models models
# hadolint ignore=SC2086
RUN uv sync --frozen --no-cache --no-default-groups $INSTALL_GROUPS --no-editable

FROM python:3.11.13-slim-bookworm
ARG JAVA=""
# hadolint ignore=DL3008,SC2086
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini procps $JAVA \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 airflow
COPY --from=build /opt/stillwatch/.venv /opt/stillwatch/.venv
COPY dags /opt/stillwatch/dags
COPY infra/spark /opt/stillwatch/infra/spark
ENV PATH=/opt/stillwatch/.venv/bin:$PATH \
    AIRFLOW_HOME=/home/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/stillwatch/dags \
    PYTHONUNBUFFERED=1
# By number, so that a cluster that forbids root can see that it is none.
USER 10001
WORKDIR /home/airflow
ENTRYPOINT ["tini", "--", "airflow"]
CMD ["version"]
