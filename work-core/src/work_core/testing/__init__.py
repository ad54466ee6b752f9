"""For authors of backends: the conformance suite. For users: tests of your own jobs.

Needs the extra ``work-core[testing]``. A backend is tested by subclassing ``BackendConformance`` in
a test module and giving one fixture::

    class TestMyBackend(BackendConformance):
        @pytest.fixture
        def backend(self, tmp_path):
            with MyBackend(tmp_path) as backend:
                yield backend
"""

import pytest

# Before the import below, so that a failing assertion shows its values without a conftest.
pytest.register_assert_rewrite("work_core.testing.conformance")

from work_core.testing.conformance import BackendConformance  # noqa: E402
from work_core.testing.travel import Travel, WallTravel  # noqa: E402

__all__ = ["BackendConformance", "Travel", "WallTravel"]
