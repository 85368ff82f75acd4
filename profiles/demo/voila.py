"""How `make demo` shows the walkthroughs as pages: their code folded, and to this machine alone.

A page may ask no other server for anything: the header forbids it. Only the notebooks of notebooks/walkthrough/ are
shown: a page executes its notebook, and those of a study train.
"""

import os
from pathlib import Path

os.environ["JUPYTER_PATH"] = str(Path(__file__).parent)  # where the template lies

c = get_config()  # noqa: F821  # Jupyter defines it where it reads this file
c.Voila.ip = "127.0.0.1"
c.Voila.root_dir = str(Path(__file__).parents[2] / "notebooks" / "walkthrough")
c.Voila.tornado_settings = {
    "headers": {"Content-Security-Policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"}
}
c.VoilaConfiguration.template = "walkthrough"
c.VoilaConfiguration.strip_sources = False  # the template shows those that the prose speaks of, folded
c.VoilaConfiguration.classic_tree = True  # so that the template's tree.html is shown first: it leads to the index
c.VoilaConfiguration.show_tracebacks = True
