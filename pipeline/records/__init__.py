"""The shapes of what an output says about itself: metrics.json, what a manifest records, samples/. They compute nothing.

Each is a frozen record, so that a misspelt or missing key is an error where it is made and where it is read back. The JSON
Schemas in docs/schemas/ are made from them (`pipeline.records.schemas`).
"""
