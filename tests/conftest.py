"""One thread for every test process: the networks are tiny, and the tests share the cores among themselves."""

import os

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
