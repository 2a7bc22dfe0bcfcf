"""Being told to stop."""

import signal

import pytest

from slurm.stops import SIGNALS, StopFlag


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_sets_the_flag_and_raises_nothing(number):
    """Work goes on where it was; the flag says so when it is asked."""
    with StopFlag() as stop:
        assert not stop()
        signal.raise_signal(number)
        assert stop()
        assert stop.received == {number}


def test_both_signals_of_a_preemption_are_remembered():
    """A preempted task gets TERM and USR2."""
    with StopFlag() as stop:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGUSR2)
    assert stop.received == set(SIGNALS)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_handlers_from_before_come_back(number):
    """Also when the work ends with an exception."""
    came = []
    before = signal.signal(number, lambda n, _: came.append(n))
    try:
        with pytest.raises(KeyError), StopFlag():
            raise KeyError
        signal.raise_signal(number)
    finally:
        signal.signal(number, before)
    assert came == [number]
