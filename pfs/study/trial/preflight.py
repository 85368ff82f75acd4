"""What is asked before the first run of a study starts, so that nothing is trained in vain. No torch here.

Are the data in place, with enough images in each split? Can both networks be built, with their weights, and do they
take the images that they will be trained and scored on?
"""

import os
import sys
from collections.abc import Collection
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from pfs.config.base import StudyError
from pfs.config.networks import SegmentationModelConfig
from pfs.config.study import Study
from pfs.study.places import TEACHER

if TYPE_CHECKING:
    from pfs.study.trial.data_check import StudyImages


def set_hub_offline_if_unreachable(study: Study) -> None:
    """If the hub cannot be reached, set HF_HUB_OFFLINE for this process and its children.

    Weights that have been downloaded before are then used at once, and not after five tries. To be called before
    anything imports the hub's library, which reads the variable once.
    """
    networks = (study.teacher.network, study.student.network)
    asks = any(isinstance(spec, SegmentationModelConfig) and spec.source == "hub" for spec in networks)
    if not asks or "HF_HUB_OFFLINE" in os.environ:
        return
    hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        urlopen(Request(hub, method="HEAD"), timeout=10).close()
    except HTTPError:
        pass  # it answers
    except (OSError, HTTPException, ValueError) as error:
        os.environ["HF_HUB_OFFLINE"] = "1"
        print(
            f"{hub} does not answer ({error}): of pre-trained weights there are those fetched before", file=sys.stderr
        )


def check_networks(study: Study) -> None:
    """Raise a StudyError for a network that cannot be built, or not for the crop; nothing is fetched for it."""
    sizes = [(study.augmentation.crop[0], study.augmentation.crop[1])] if study.augmentation else []
    for role, spec in (("teacher", study.teacher.network), ("student", study.student.network)):
        if isinstance(spec, SegmentationModelConfig):
            from pfs.models import check_network  # asks the library, which takes seconds to import

            try:
                check_network(spec, sizes)
            except StudyError as error:
                raise StudyError(f"study {study.name}: {role}.network: {error}") from None


def preflight(study: Study, stale: Collection[tuple[str, int]], data: Path) -> "StudyImages | None":
    """Try everything once that the stale runs of a study will need; a study of which nothing is stale needs nothing.

    Of each network that will be trained, pre-trained weights are fetched, and there is one forward pass at the size
    that it is trained at and one or two at the sizes that it is scored at. Memory is not tried: a dry run does that.

    Args:
        study: the study.
        stale: the runs that must be made, as (method, seed).
        data: the folder of all data sets.

    Returns:
        What the networks will be shown; None where nothing is stale.

    Raises:
        StudyError: one line that says what stands in the way, and how to mend it.
    """
    if not stale:
        return None
    from pfs.study.trial.data_check import check_data  # imports torch, which takes seconds
    from pfs.study.trial.network_check import check_forward

    images = check_data(study, data)
    methods = {method for method, _ in stale}
    for role, training, needed in (
        ("teacher", study.teacher, TEACHER in methods),
        ("student", study.student, bool(methods - {TEACHER})),
    ):
        if needed:
            try:
                check_forward(training.network, images, study.evaluation)
            except StudyError as error:
                raise StudyError(f"study {study.name}: {role}.network: {error}") from None
    return images
