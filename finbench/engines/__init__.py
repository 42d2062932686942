"""Ways to get text from a model, one class each, imported only when used.

In goes an iterator of requests, out comes exactly one response for each, as they finish, in any order; a failed request
is a response with finish "error". An engine knows requests and responses, and neither tasks nor grading.

Read first: choose.py (the contract `Engine`, which engine runs a model, and how it is made). openai/ speaks to any
OpenAI-compatible server; vllm/ runs vLLM in process or served; hf.py transformers, ray.py a cluster, lm_eval.py any
model class of lm-eval; offline.py replays stored replies or asks one of baselines/; prompts.py fits prompts to a context.
"""

__all__ = ["choose", "offline", "vllm"]
