"""The tables: schemas, records, reading, writing, the layout of a run folder."""
