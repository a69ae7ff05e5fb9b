"""The guardian of `tracker lock run`: a process of its own that ends the command before its lease ends.

It needs nothing but the standard library, so that it starts at once: `python -m tracker.guardian FD`.
"""
