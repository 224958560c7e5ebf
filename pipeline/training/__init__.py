"""Trains, calibrates and describes a classifier of two kinds of text: `flows.train` is its command line.

    examples.py    texts with labels, from files or a sample of a corpus, split so that no group and no copy straddles
    fit.py         the examples to a fastText file, in a process of its own (`worker.py`), quantised
    calibrate.py   logits to probabilities
    metrics.py     ROC AUC, precision, recall, calibration error, with intervals
    evaluate.py    figures of a model on held-out examples, and thresholds by precision, share, token budget
    card.py        model, sidecar (`filters.models.classifier.Sidecar`) and card on disk
    train.py       all of it in order
    recipes/       what the models in `filters/model_files` are made of

Invariant: the same examples, settings and seed give the same bytes.
"""
