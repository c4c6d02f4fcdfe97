"""Summaries -> figures. No ORM, no request: a chart and the number in the text come from the same
Share.
"""

from .bars import age_chart, event_chart, response_chart, share_chart
from .changes import change_chart, level_chart
from .chart import Chart, ChartTable
from .compare import compare_chart
from .forest import forest_chart
from .treatments import patient_levels_chart, swimmer_chart, timeline_chart
from .upset import upset_chart

__all__ = [
    "Chart",
    "ChartTable",
    "age_chart",
    "change_chart",
    "compare_chart",
    "event_chart",
    "forest_chart",
    "level_chart",
    "patient_levels_chart",
    "response_chart",
    "share_chart",
    "swimmer_chart",
    "timeline_chart",
    "upset_chart",
]
