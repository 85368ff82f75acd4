"""Teachers and students by name."""

from pfs.models.build import build_network, check_network, count_macs, count_parameters

__all__ = ["build_network", "check_network", "count_macs", "count_parameters"]
