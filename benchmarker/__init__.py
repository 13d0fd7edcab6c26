"""Galaxy benchmarker: compare galaxy networks deterministically, and honestly over few seeds.

This module is the public API: plugins import from here, and from `benchmarker.testing` in their tests. `__init__.pyi`
lists the names. Each is imported when it is first used, so that a plugin can register itself without importing numpy.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
