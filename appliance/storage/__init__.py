"""The only SQL in the house, one file per entity. Postgres 15 or newer, and nothing else.

Imports `catalog`, `domain` and `foundation`. Functions take a connection, so that a service decides what belongs
into one transaction.
"""
