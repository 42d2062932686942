"""What of a stranger's task may run, and where it is held: merged.py is the configuration that lm-eval is about to build,
consent.py judges it, doors.py guards the places where lm-eval takes code and data in, rendering.py renders a stranger's
templates in a process with limits."""

__all__ = ["consent", "doors", "merged", "rendering"]
