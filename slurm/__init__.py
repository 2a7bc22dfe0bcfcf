"""The cluster: profiles, executors, array planning, job states."""
