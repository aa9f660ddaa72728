"""python -m nettool_cli: the same as the command nettool."""

from nettool_cli.main import command

command()
