"""The report on a run: one HTML page of figures and tables."""
