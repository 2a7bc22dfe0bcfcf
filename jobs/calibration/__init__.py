"""Whether a judge can tell illusions from pictures that are none, before it may select alone."""
