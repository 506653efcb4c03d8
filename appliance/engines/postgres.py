"""The embedded Postgres: a Unix socket and peer authentication, or what Windows has instead.

`EmbeddedPostgres(folder, account=…, bin_folder=…, options=…)` is the same to its users on every system.
"""

import sys

if sys.platform == "win32":
    from appliance.engines.postgres_windows import WindowsPostgres as EmbeddedPostgres
else:
    from appliance.engines.postgres_posix import PosixPostgres as EmbeddedPostgres

__all__ = ["EmbeddedPostgres"]
