"""What is the matter with a run: what is measured of it, the checks, and the verdicts that they come to."""
