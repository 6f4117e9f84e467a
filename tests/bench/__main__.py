"""`python -m tests.bench [section] [its options]`: one section, or all of them one after the other.

Each prints its tables in Markdown and says, by its exit status, whether what it promises was kept.
"""

import subprocess
import sys

from tests.bench.gauge import machine

#: section: its module
SECTIONS = {
    "queue": "queue",
    "crawl": "crawl",
    "waiting": "waiting",
    "tls": "tls",
    "api": "api",
    "scale": "scale",
    "stages": "stages",
    "reads": "reading",
    "views": "views",
}


def run(section: str, *options: str) -> int:
    """Runs a section in a process of its own; its exit status."""
    print(f"\n## {section}\n\n{machine()}", flush=True)
    return subprocess.run([sys.executable, "-m", f"tests.bench.{SECTIONS[section]}", *options]).returncode


def main(arguments: list[str]) -> int:
    """The exit status: 1 when a section fails."""
    if arguments and arguments[0] in SECTIONS:
        return run(*arguments)
    if arguments:
        print(f"usage: python -m tests.bench [{'|'.join(SECTIONS)}] [options of the section]", file=sys.stderr)
        return 2
    return max([run(section) for section in SECTIONS])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
