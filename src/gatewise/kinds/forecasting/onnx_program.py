"""Python that continues series with an exported forecaster, onnxruntime and numpy alone. Imports no torch."""

from __future__ import annotations

from gatewise.export.to_onnx.programs import MODEL, assembled

__all__ = ["program_of"]

_DOES = "Continues the series of a table: python answer.py FILE.csv"
_TABLE = r'''
decimal, group = about["reading"]["decimal"], about["reading"]["group"]
targets, columns = about["targets"], [*about["targets"], *about["features"]]
known, constant = about.get("known", []), about.get("static", [])


def number(cell):
    return float(cell.replace(decimal, "."))


def encoded(covariates, row):
    """Numbers, or of texts a column of zeros and ones for each."""
    found = []
    for each in covariates:
        cell = row[each["name"]]
        if each["categories"]:
            found += [float(cell == category) for category in each["categories"]]
        else:
            found.append((number(cell) - each["mean"]) / each["deviation"])
    return found


def window_of(name, rows):
    """What the network reads of a series: its last rows, and what is known of those after them."""
    past, ahead = list(rows), []
    while past and not any(past[-1][target].strip() for target in targets):
        ahead.insert(0, past.pop())
    steps = about["lookback"]
    if len(past) < steps or (known and len(ahead) < about["horizon"]):
        sys.exit(f"{name or 'the series'} is too short: {steps} rows with targets are read"
                 + (f", and {about['horizon']} after them for {known[0]['name']}" if known else ""))
    last = past[-steps:]
    if about["transform"] != "value":  # one row more, before them
        last = [past[-steps - 1] if len(past) > steps else last[0], *last]
    given = {"past": [[number(row[column]) for column in columns] + encoded(known, row) for row in last]}
    if known:
        given["ahead"] = [encoded(known, row) for row in ahead[: about["horizon"]]]
    if constant:
        given["static"] = encoded(constant, last[-1])
    if len(about["scalings"]) > 1:
        if name not in about["scalings"]:
            sys.exit(f"{name!r} was not trained on; known: {', '.join(about['scalings'])}")
        given |= {key: about["scalings"][name][key] for key in ("mean", "deviation")}
    return {key: np.array([value], np.float32 if key == "static" else np.float64) for key, value in given.items()}
'''
_ANSWERS = r"""
if len(sys.argv) < 2:
    sys.exit("name a CSV file with the columns of the training: a row for each step, in order of time, without gaps")
with open(sys.argv[1], newline="", encoding="utf-8-sig") as stream:
    separator = max(",;\t|", key=stream.readline().count)
    stream.seek(0)
    table = list(csv.DictReader(stream, delimiter=separator))
series = {}
for row in table:
    series.setdefault(row[group] if group else "", []).append(row)
forecasts = []
for name, rows in series.items():
    (found,) = session.run(["forecast"], window_of(name, rows))
    found = found[0].reshape(about["horizon"], len(targets), -1)
    steps = [
        {"step": step, **{target: values[0] for target, values in zip(targets, each)},
         **{f"{target}_{level:g}": value for target, values in zip(targets, each)
            for level, value in zip(about["quantiles"], values[1:])}}
        for step, each in enumerate(found.tolist(), 1)
    ]
    forecasts.append({"series": name, "steps": steps})
print(json.dumps({"forecasts": forecasts}, ensure_ascii=False))
"""


def program_of() -> str:
    """The program, which prints the numbers of ``gatewise predict --json``, their steps counted from 1."""
    return assembled(_DOES, ["csv"], MODEL, _TABLE, _ANSWERS)
