"""Postgres and Valkey as child processes, so that one install is the whole appliance.

    keeper      starts the engines from one thread and restarts what dies
    postgres    EmbeddedPostgres; `postgres_posix` and `postgres_windows` are its two ways
    valkey      EmbeddedValkey
    lock        one program per data folder
    account, places, processes, programs    what running a child under another account takes

Imports `appliance.foundation` only; knows nothing else of the house.
"""
