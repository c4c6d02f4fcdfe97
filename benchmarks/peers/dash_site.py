"""The page a data scientist writes: Dash on a pandas frame, one row per course. Counts courses,
which suits it best.
"""

import os
import sqlite3

import dash
import numpy as np
import pandas as pd
import plotly.graph_objects as go
from dash import Input, Output, dcc, html

FLAT = os.environ["BENCH_FLAT"]
frame = pd.read_sql("SELECT * FROM treatments ORDER BY patient, number", sqlite3.connect(FLAT))
CATEGORIES = ["inhibitor", "sex", "subset", "response", "relapsed", "adverse_events", "design"]
SETS = ["indication", "manifestation", "autoantibody", "prior", "adverse_event"]
for name in [*CATEGORIES, "indication_set"]:
    frame[name] = frame[name].astype("category")
FLAGS = {
    name: [column for column in frame.columns if column.startswith(f"{name}__")] for name in SETS
}
for columns in FLAGS.values():
    frame[columns] = frame[columns].astype(bool)
flags = {column: frame[column].to_numpy() for columns in FLAGS.values() for column in columns}
ROWS = [
    "patient",
    "study",
    "sex",
    "age",
    "subset",
    "inhibitor",
    "indication_set",
    "response",
    "relapsed",
    "adverse_events",
]


def numbers(inhibitors, indications, match):
    def mask(without=None):
        selected = np.ones(len(frame), dtype=bool)
        if inhibitors and without != "inhibitor":
            selected &= frame["inhibitor"].isin(inhibitors).to_numpy()
        if indications:
            columns_chosen = [flags[f"indication__{code}"] for code in indications]
            selected &= (
                np.logical_and.reduce(columns_chosen)
                if match == "all"
                else np.logical_or.reduce(columns_chosen)
            )
        return selected

    selected = mask()
    rows = frame[selected]
    facets = {}
    for name in CATEGORIES:
        part = frame[mask(name)] if name == "inhibitor" and inhibitors else rows
        facets[name] = part[name].value_counts().to_dict()
    for name, columns in FLAGS.items():
        facets[name] = {
            column.partition("__")[2]: int(flags[column][selected].sum()) for column in columns
        }
    return rows, {
        "patients": int(rows["patient"].nunique()),
        "treatments": len(rows),
        "facets": facets,
        "sets": rows["indication_set"].value_counts().to_dict(),
        "response_by_inhibitor": pd.crosstab(rows["inhibitor"], rows["response"]).stack().to_dict(),
        "response_by_set": pd.crosstab(rows["indication_set"], rows["response"]).stack().to_dict(),
        "events": rows.filter(like="events__").sum().to_dict(),
        "ages": rows.groupby([rows["age"] // 10 * 10, "sex"], observed=True)["patient"]
        .nunique()
        .to_dict(),
    }


app = dash.Dash(__name__)
server = app.server
app.layout = html.Div(
    [
        dcc.Dropdown(sorted(frame["inhibitor"].cat.categories), id="inhibitors", multi=True),
        dcc.Dropdown(
            [column.partition("__")[2] for column in FLAGS["indication"]],
            id="indications",
            multi=True,
        ),
        dcc.RadioItems(["any", "all"], "any", id="match"),
        html.Div(id="count"),
        html.Div(id="facets"),
        html.Div(id="charts"),
        html.Table(id="rows"),
    ]
)


@app.callback(
    [Output(each, "children") for each in ("count", "facets", "charts", "rows")],
    [Input(each, "value") for each in ("inhibitors", "indications", "match")],
)
def answer(inhibitors, indications, match):
    rows_found, n = numbers(inhibitors, indications, match)
    facets = [
        html.Fieldset(
            [html.Legend(name), *(html.Label(f"{code} {count}") for code, count in options.items())]
        )
        for name, options in n["facets"].items()
    ]
    chart_names = ("sets", "response_by_inhibitor", "response_by_set", "events", "ages")
    charts = [
        dcc.Graph(
            figure=go.Figure(go.Bar(x=[str(value) for value in n[name]], y=list(n[name].values())))
        )
        for name in chart_names
    ]
    rows = [
        html.Tr([html.Td(str(cell)) for cell in row])
        for row in rows_found[ROWS].head(50).itertuples(index=False)
    ]
    return f"{n['patients']} patients, {n['treatments']} courses", facets, charts, rows
