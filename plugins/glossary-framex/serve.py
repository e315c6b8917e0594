"""Starts FrameX with the plugin in this folder, where the gateway says. Python finds `glossary` because it lies beside."""

import os

from framex.cli import framex

framex(["run", "--host", "127.0.0.1", "--port", os.environ["PORT"], "--load-plugins", "glossary"])
