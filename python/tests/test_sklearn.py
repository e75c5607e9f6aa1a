"""The estimator passes the checks of scikit-learn, and agrees with the model."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from surprisal import Model, SurprisalError
from surprisal.sklearn import SurprisalDetector


@pytest.mark.filterwarnings("ignore::surprisal.SurprisalWarning")
@parametrize_with_checks([SurprisalDetector()])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def rows():
    x = np.random.default_rng(0).normal(size=(2000, 1)).round(2)
    return np.hstack([x, -x])


def test_verdicts_are_those_of_the_model(rows):
    detector = SurprisalDetector(false_alarm=0.02, family="tables", random_state=3).fit(rows)
    model = Model.fit(rows, false_alarm=0.02, family="tables", seed=3, keep=["x0", "x1"], keep_constant=True)
    assert detector.model_.to_bytes() == model.to_bytes()
    assert detector.offset_ == -model.threshold == -detector.threshold_
    assert ((detector.predict(rows) == -1) == model.is_anomalous(rows)).all()
    assert (detector.decision_scores_ == model.anomaly(rows)).all()
    assert (detector.labels_ == model.is_anomalous(rows)).all()
    assert detector.predict([[2.0, 2.0], [1.0, -1.0]]).tolist() == [-1, 1]


def test_estimators_are_cloned_pickled_and_piped(rows):
    detector = clone(SurprisalDetector(flash="8KiB"))
    copy = pickle.loads(pickle.dumps(detector.fit(rows)))
    assert (copy.decision_function(rows) == detector.decision_function(rows)).all()
    pipe = make_pipeline(StandardScaler(), SurprisalDetector()).fit(rows)
    assert set(pipe.predict(rows)) <= {-1, 1}


def test_missing_readings_and_generators(rows):
    gaps = rows.copy()
    gaps[::7, 0] = np.nan
    assert SurprisalDetector(random_state=np.random.RandomState(1)).fit(gaps).predict(gaps).shape == (2000,)
    with pytest.raises(ValueError, match="infinity"):
        SurprisalDetector().fit(np.where(np.isnan(gaps), np.inf, gaps))
    with pytest.raises(SurprisalError):
        SurprisalDetector(false_alarm=0).fit(rows)
