"""What the DAG files share. Imports Airflow and the catalogue, nothing that is slow to import."""
