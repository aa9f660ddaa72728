"""What must hold when everything goes wrong: kills, full disks, flipped bits, strangers' files.

`make test` runs a sample of every check (test_sample.py); `make torture` runs them exhaustively, runs each again with
bugs planted that must turn it red, and prints both as a table (__main__.py). See docs/reliability.md.
"""
