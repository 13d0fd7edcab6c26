"""A study as a DAG of Airflow."""
