"""`python -m appliance` is the `hearthbeat` command."""

from appliance.cli import main

if __name__ == "__main__":
    main()
