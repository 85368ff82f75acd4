"""A small Digit Scenes, and how it is damaged."""

import numpy as np
from PIL import Image

from pfs.config import data as config
from pfs.data.sets.digit_scenes import DigitScenes

SPEC = config.DigitScenesConfig(name="digit_scenes", train=8, val=4, test=4, seed=0)


def change_a_pixel(dataset: DigitScenes) -> None:
    file = dataset.files(5)[0]
    pixels = np.array(Image.open(file))
    pixels[7, 9, 1] ^= 1
    Image.fromarray(pixels).save(file)
