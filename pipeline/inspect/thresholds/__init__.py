"""What other thresholds would keep and drop: the slider, sweeps, and the rows that both read."""
