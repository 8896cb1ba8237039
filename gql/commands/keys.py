"""`tether keys generate`: a new encryption key. Needs no settings and opens nothing."""

import argparse
import sys

from domain.key_ring import generate_key


def run(arguments: argparse.Namespace) -> int:
    sys.stdout.write(generate_key(development=arguments.development) + "\n")
    return 0
