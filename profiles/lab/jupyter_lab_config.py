"""How `make lab` starts JupyterLab: on the page of links, and saving no outputs into the notebooks of this clone."""

from pathlib import Path

from pfs.study.notebook_source import keep_source

c = get_config()  # noqa: F821  # Jupyter defines it where it reads this file
c.FileContentsManager.pre_save_hook = keep_source
c.LabApp.default_url = "/lab/tree/notebooks/walkthrough/index.ipynb"
c.LabApp.app_settings_dir = str(Path(__file__).parent / "settings")  # no window asks to fetch Jupyter's news
