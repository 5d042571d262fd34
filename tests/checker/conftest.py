"""What tests of the explicit engine share: a cache of compiled objects that is nobody else's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from checker.explicit.cache import CACHE_VARIABLE


@pytest.fixture(scope="module")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("explicit")))
        yield
