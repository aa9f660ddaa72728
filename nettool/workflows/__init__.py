"""One file for each verb: the only place that wires the folders together."""
