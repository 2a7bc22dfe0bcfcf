"""Where things meet: the command, planning, the worker, best-of-N, the gallery."""
