"""The words of the project: columns, tables, measures, features, checks, steps and policy.

Plain Python, standard library only, so that a DAG file can import it in milliseconds. Delta DDL,
expectation suites, Airflow assets, the model's signature, reason sentences and the data
dictionary are all made from what is declared here.
"""
