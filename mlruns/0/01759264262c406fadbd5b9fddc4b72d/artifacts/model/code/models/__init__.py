"""The classifier: what it learns from, how it is fitted, judged, registered and promoted.

Works on Arrow tables and NumPy arrays, knows neither Spark nor Delta, and hard-codes no feature:
names, families and monotone directions come from the feature catalogue as arguments.

Where to look:
- `dataset` what is known by a night, as rows with weights; `labels` how contradictions end;
- `split` forward in time and by campaign; `train` XGBoost heads; `calibration` probabilities;
- `classifier` what scores a night (the only part that a scoring process imports);
- `evaluate` figures on held-out rows; `promotion` gates; `decisions` who serves which night;
- `registry` MLflow; `card`, `plots` the page a person reads; `prior` the model before any label;
- `training` all of it for one night.
"""
