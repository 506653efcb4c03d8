"""The dashboard: server-rendered pages over the services; no second truth.

Imports `appliance.services`, `appliance.domain`, `appliance.catalog` and `appliance.foundation`.
"""
