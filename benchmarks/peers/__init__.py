"""One module per library: its tasks, and how a program of that library enqueues them.

Each module runs in the environment of its library and offers, sync or async as is usual there,
``enqueue(kind, number)`` and ``enqueue_many(kind, numbers)``, and where needed ``connect()`` and
``disconnect()``. *kind* is ``noop`` or ``io``. The command of its worker stands in
``benchmarks/catalog.py``.
"""
