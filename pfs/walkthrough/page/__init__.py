"""Walkthrough 1 as one page that needs neither Python nor a network."""

from pfs.walkthrough.page.build import write_page

__all__ = ["write_page"]
