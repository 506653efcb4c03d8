"""What Valkey or Redis does for the house: known keys, spent allowances, answers already made.

Nothing here is the only copy of anything. Every part has a named fallback for when the server is away: keys come
from Postgres, allowances are counted in memory, answers are made again.
Imports `domain` and `foundation`.
"""
