"""Take-downs: documents are removed from the output, its index and its work directory, and do not come back.

find.py says which rows go, rewrite.py makes the files without them, recount.py the numbers, clean.py empties the work directory,
complete.py does what follows the commit and can be done again at any time, run.py is the order of it all.
"""
