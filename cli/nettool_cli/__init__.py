"""The command line of nettool: parse, call one workflow, print. No logic lives here."""
