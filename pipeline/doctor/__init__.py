"""Whether an output is what its manifests say, and what of it can be brought back.

examination.py looks and changes nothing, repair.py makes again what is a copy of something that is there, rebuild.py makes a lost
manifest from the shards and the ledger of its generation.
"""
