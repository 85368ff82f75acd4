"""How `make lab` starts JupyterLab: on the page of links, and saving no outputs into the notebooks of this clone."""

from pfs.study.notebook_source import keep_source

c = get_config()  # noqa: F821  # Jupyter defines it where it reads this file
c.FileContentsManager.pre_save_hook = keep_source
c.LabApp.default_url = "/lab/tree/notebooks/walkthrough/index.ipynb"
