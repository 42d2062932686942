"""Any OpenAI-compatible server: engine.py asks and retries, wire.py is the format, client.py the only HTTP; endpoints.py
are the servers, limits.py and deadlines.py what they may be asked, keys.py their secrets, status.py what an answer means."""
