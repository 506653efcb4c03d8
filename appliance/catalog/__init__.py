"""What Hearthbeat knows about metrics, events, workouts and units, as data and a loader.

The knowledge is `data/*.csv`, one thing a row; `load` reads it once and refuses a row that is not complete.
Adding a metric is adding a row: no code lists metrics. May import domain and foundation.
"""
