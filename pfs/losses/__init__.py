"""The method: PFS, WSP, and what others distil. Nothing here imports another room."""

from pfs.losses.pfs import pfs_loss
from pfs.losses.prediction import Prediction
from pfs.losses.wsp import wsp_loss

__all__ = ["Prediction", "pfs_loss", "wsp_loss"]
