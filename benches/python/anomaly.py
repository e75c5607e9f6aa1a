#!/usr/bin/env python3
"""Scores the folders that `cargo benches anomaly` writes with the detectors of scikit-learn. The command runs this script.

    anomaly.py digits FILE               scikit-learn's 8x8 digits as CSV: x0 ... x63, digit
    anomaly.py score METHODS FOLDER...   fits METHODS, separated by commas, to FOLDER/train.csv, and writes FOLDER/METHOD.txt:
                                         one number per row of FOLDER/test.csv, larger for more anomalous rows
    anomaly.py score-raw ...             the same without scaling the columns

The last column of both files marks anomalies and is not used.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.ensemble import IsolationForest
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors


def isolation_forest(train, test):
    return -IsolationForest(random_state=0).fit(train).score_samples(test)


def lof(train, test):
    return -LocalOutlierFactor(n_neighbors=20, novelty=True).fit(train).score_samples(test)


def knn(train, test):
    return NearestNeighbors(n_neighbors=5).fit(train).kneighbors(test)[0][:, -1]


def mixture(components, ridge):
    def score(train, test):
        try:
            model = GaussianMixture(components, covariance_type="full", reg_covar=ridge, random_state=0).fit(train)
        except ValueError:
            # Columns that hardly vary make a covariance singular, which a larger diagonal prevents.
            return mixture(components, 100 * ridge)(train, test)
        return -model.score_samples(test)

    return score


def k_means(train, test):
    return KMeans(n_clusters=32, n_init=10, random_state=0).fit(train).transform(test).min(axis=1)


def alarms(train, test):
    """Returns the alarms of the baseline of SKAB, as zeros and ones."""
    model = IsolationForest(random_state=0, contamination=0.0005).fit(train)
    return (model.predict(test) < 0).astype(float)


METHODS = {
    "iforest": isolation_forest,
    "lof": lof,
    "knn": knn,
    "gmm10": mixture(10, 1e-6),
    "gmm8": mixture(8, 1),
    "kmeans32": k_means,
    "iforest-alarms": alarms,
}


def rows(path):
    """Returns the readings of a file. Cells that are not numbers become NaN."""
    return np.genfromtxt(path, delimiter=",", skip_header=1, ndmin=2)[:, :-1]


def score(names, folders, scaled):
    for folder in map(Path, folders):
        train, test = rows(folder / "train.csv"), rows(folder / "test.csv")
        if scaled:
            mean, deviation = np.nanmean(train, axis=0), np.nanstd(train, axis=0)
            deviation[deviation == 0] = 1
            train, test = (train - mean) / deviation, (test - mean) / deviation
        for name in names:
            np.savetxt(folder / f"{name}.txt", METHODS[name](np.nan_to_num(train), np.nan_to_num(test)), fmt="%.17g")


def digits(path):
    data = load_digits()
    header = ",".join([f"x{pixel}" for pixel in range(64)] + ["digit"])
    np.savetxt(path, np.column_stack([data.data, data.target]), fmt="%d", delimiter=",", header=header, comments="")


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=UserWarning)
    match sys.argv[1:]:
        case ["digits", path]:
            digits(path)
        case ["score" | "score-raw" as how, names, *folders]:
            score(names.split(","), folders, how == "score")
        case _:
            raise SystemExit(__doc__)
