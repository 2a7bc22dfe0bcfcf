"""Being told to stop: a flag that the worker looks at between batches."""

import signal
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGUSR2, signal.SIGTERM)


class StopFlag:
    """Remembers that USR2 or TERM came, and raises nothing, so that work ends where it may.

    SLURM sends USR2 before the walltime and, where `preempt_send_user_signal` is on, to a task
    that is preempted; TERM comes before KILL. submitit's own handler raises inside whatever frame
    is running, where a loop that survives failed rows would swallow it.

    Used as a context manager in the main thread; calling it returns whether to stop. The handlers
    that were there before come back at the end.
    """

    def __init__(self) -> None:
        self.received: set[signal.Signals] = set()
        self._before: dict[signal.Signals, Any] = {}

    def __call__(self) -> bool:
        return bool(self.received)

    def __enter__(self) -> Self:
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal by remembering it."""
        self.received.add(signal.Signals(number))
