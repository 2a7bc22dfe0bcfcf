"""Looking through a run and picking: what its pages show, and the server of `fundiff curate`."""
