"""`python -m appliance` is the `hearthbeat` command."""

if __name__ == "__main__":
    # Only here: the process that reads an export imports this module too, and needs nothing of the command.
    from appliance.cli import main

    main()
