"""Serves the one script of the plotly package that pages need, under static/vendor/.

The package's data folder also holds notebooks' bundles and sample data; a whole-folder finder would publish them.
"""

from pathlib import Path

import plotly
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

PUBLIC_NAME = "vendor/plotly.min.js"


class PlotlyScriptFinder(BaseFinder):
    """Finds `vendor/plotly.min.js` in the installed plotly package."""

    def __init__(self, app_names=None, *args, **kwargs):
        self.storage = FileSystemStorage(location=Path(plotly.__file__).parent / "package_data")
        self.storage.prefix = "vendor"

    def find(self, path, find_all=False, **kwargs):
        found = [self.storage.path("plotly.min.js")] if path == PUBLIC_NAME else []
        return found if find_all or kwargs.get("all") else (found[0] if found else [])

    def list(self, ignore_patterns):
        yield "plotly.min.js", self.storage
