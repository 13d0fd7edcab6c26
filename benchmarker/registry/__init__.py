"""Reads registries, validates them, checks them against the installed plugins, and describes them for editors.

`__init__.pyi` lists the names. Each is imported when it is first used, so that whoever needs a model of a registry does
not import what parses YAML.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
