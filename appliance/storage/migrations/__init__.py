"""The schema's history, append-only: each file says why. Applied at start by `appliance.storage.migrate`."""
