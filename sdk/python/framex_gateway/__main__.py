"""`python3 -m framex_gateway [--expose plugin.Class.method]… run …`: FrameX's own command, connected with the gateway."""

import argparse

from framex.cli import framex

from .framex import connect

parser = argparse.ArgumentParser(prog="framex_gateway", add_help=False)
parser.add_argument("--expose", action="append", default=[], metavar="plugin.Class.method")
options, rest = parser.parse_known_args()
connect(options.expose)
framex(rest)
