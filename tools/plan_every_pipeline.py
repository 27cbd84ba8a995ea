"""Plan every shipped pipeline with the segda that this Python has; run it outside a checkout: see `test_install.sh`."""

import sys

import segda_command


def main() -> None:
    """Plan each, and leave with the names of those that could not be planned."""
    segda_command.own_packages_first()
    from pipelines.__main__ import main as command
    from segda.config.loading import shipped

    names = sorted(path.stem for path in shipped("pipelines").glob("*.yaml"))
    failed = [name for name in names if command([name, "--plan"]) != 0]
    print(f"planned {len(names) - len(failed)} of {len(names)} pipelines")
    sys.exit(f"not planned: {', '.join(failed)}" if failed or not names else 0)


if __name__ == "__main__":
    main()
