"""The demo venue of these tests."""

from demo_venue import demo, new_demo

__all__ = ["demo", "new_demo"]
