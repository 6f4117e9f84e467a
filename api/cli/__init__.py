"""The operator's door: the console script `crawlyard`."""


def main() -> None:
    """Runs the command line. Exit status: 0 done, 1 failed, 2 wrong usage or setting, 130 interrupted."""
    from api.cli.root import cli

    cli(prog_name="crawlyard")
