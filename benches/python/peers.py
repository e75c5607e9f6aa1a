#!/usr/bin/env python3
"""Fits anomaly models and converts them to C with emlearn. `cargo benches device --peers` runs this script.

    peers.py DIVISOR FOLDER   fits models to FOLDER/train.csv and writes FOLDER/NAME.h for each, which benches/peers/emlearn.c
                              includes; prints the folder of emlearn's headers, then the names. All readings are divided
                              by DIVISOR; 0 scales each column to mean zero and deviation one.

The last column of the file marks anomalies and is not used.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
from anomaly import rows
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.mixture import GaussianMixture
from sklearn.neural_network import MLPRegressor

import emlearn

# Importing emlearn turns NumPy's warnings into errors, which scikit-learn does not expect.
np.seterr(all="warn")


def mixture(components, ridge):
    def fit(train):
        # Columns that hardly vary make a covariance singular, which a larger diagonal prevents.
        try:
            model = GaussianMixture(components, covariance_type="full", reg_covar=ridge, random_state=0).fit(train)
        except ValueError:
            return mixture(components, 100 * ridge)(train)
        return emlearn.convert(model)

    return fit


def envelope(train):
    return emlearn.convert(EllipticEnvelope(random_state=0).fit(train), method="inline")


def autoencoder(train):
    hidden = max(4, train.shape[1] // 4)
    model = MLPRegressor(hidden_layer_sizes=(hidden,), max_iter=1000, early_stopping=True, n_iter_no_change=20, random_state=0)
    return emlearn.convert(model.fit(train, train), method="loadable", return_type="regressor")


def forest(train):
    """Discriminates rows from rows whose columns were shuffled independently (Shi & Horvath 2006)."""
    draw = np.random.default_rng(0)
    apart = np.column_stack([draw.permutation(column) for column in train.T])
    model = RandomForestClassifier(10, max_depth=8, random_state=0)
    model.fit(np.vstack([train, apart]), np.repeat([0, 1], len(train)))
    return emlearn.convert(model, method="inline", dtype="int16_t", leaf_bits=8)


def convert(folder, divisor):
    train = rows(folder / "train.csv")
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    deviation[deviation == 0] = 1
    if divisor:
        mean, deviation = 0 * mean, 0 * mean + divisor
    scaled = (train - mean) / deviation
    # For pixels, one grey level.
    ridge = 1 / divisor**2 if divisor else 1e-6
    head = f"#define COLUMNS {train.shape[1]}\n"
    for name, values in [("MEAN", mean), ("SCALE", 1 / deviation)]:
        head += f"static const float {name}[] = {{{', '.join(f'{value:.9e}f' for value in values)}}};\n"
    models = {f"gmm{count}": (f"MIXTURE {count}", mixture(count, ridge), scaled) for count in (1, 4, 8)}
    models["envelope"] = ("ENVELOPE 1", envelope, scaled)
    models["autoencoder"] = ("AUTOENCODER 1", autoencoder, scaled)
    models["forest"] = ("FOREST 1", forest, train)
    print(emlearn.includedir)
    for name, (define, fit, data) in models.items():
        code = fit(data).save(name="model")
        (folder / f"{name}.h").write_text(f"{head}#define {define}\n{code}")
        print(name)
    try:
        emlearn.convert(IsolationForest(n_estimators=10).fit(train))
        raise SystemExit("this version of emlearn converts an isolation forest; measure it as well")
    except ValueError:
        pass


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    match sys.argv[1:]:
        case [divisor, folder]:
            convert(Path(folder), float(divisor))
        case _:
            raise SystemExit(__doc__)
