"""The HTTP API: thin views over the services, one route table, one gate, one mapping of errors.

`app` builds the WSGI application, `routes` holds the whole table, `guards` lets requests in, `problems` answers
for every error, `openapi` describes it all from the table. Imports `services` and what lies below.
"""
