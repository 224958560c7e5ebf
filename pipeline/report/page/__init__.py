"""report.html: tables and charts of the metrics, without scripts."""
