"""vLLM: local.py in this process, served.py behind its own server, process.py so that nothing outlives a run,
read_ahead.py so that the disk reads weights while tasks load."""

__all__ = ["local", "read_ahead"]
