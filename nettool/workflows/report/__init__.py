"""A run, or several beside each other, as one page of HTML that needs nothing else: what was asked, what happened, how
good it is, what is the matter, and how to use it and get it again.

`run.py` and `comparison.py` put what stands there into the plain blocks of `blocks.py`; `page.py` makes HTML of them.
"""
