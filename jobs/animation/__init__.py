"""Watch it turn: the reveal of a finished picture, as frames and as a file."""
