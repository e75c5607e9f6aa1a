"""An outlier detector for scikit-learn, with the attributes that PyOD's detectors have as well."""

import warnings

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ._model import Model, SurprisalWarning

#: Rows that a fit needs, so that each of its shares has enough.
_LEAST = 40


class SurprisalDetector(OutlierMixin, BaseEstimator):
    """Detects rows that a model of the training rows calls anomalous.

    Rows are arrays of numbers of the shape (rows, features); ``NaN`` is a missing reading. For texts, dates and time series
    use :class:`surprisal.Model`.

    Columns are kept although they never change or look like a clock, because scikit-learn's users choose columns themselves.
    Fewer than 40 rows are too few for a fit: they are repeated until there are as many, with a warning, so that the threshold
    is only a rough one.

    Parameters:
        false_alarm: Share of normal rows that may be called outliers, from 1e-6 to below 1. If the calibration rows are too few
            for that rate (it takes about 1 / false_alarm of them, a tenth of the rows), the threshold is the score that this
            share of the training rows exceeds.
        family, flash, max_rows, contamination_of_fit: As ``family``, ``flash``, ``max_rows`` and ``contamination`` of
            :meth:`surprisal.Model.fit`.
        random_state: Seed of the fit, a whole number that is not negative.
        threads: Number of threads of the fit; one per core by default.

    Attributes:
        model_: The :class:`surprisal.Model`.
        offset_: Minus the threshold, in nats: ``decision_function(X) == score_samples(X) - offset_``.
        n_features_in_, feature_names_in_: As in every estimator of scikit-learn.
        threshold_, decision_scores_, labels_: As in PyOD: threshold in nats, anomaly scores of the training rows in nats (larger
            is more anomalous), and 1 for outliers among them, otherwise 0.

    >>> import numpy as np
    >>> from surprisal.sklearn import SurprisalDetector
    >>> x = np.random.default_rng(0).normal(size=(2000, 1)).round(2)
    >>> detector = SurprisalDetector().fit(np.hstack([x, -x]))
    >>> detector.predict([[0.5, -0.5], [2.0, 2.0]])
    array([ 1, -1])
    """

    def __init__(
        self,
        false_alarm=0.01,
        *,
        family=None,
        flash=None,
        max_rows=None,
        contamination_of_fit=None,
        random_state=0,
        threads=None,
    ):
        self.false_alarm = false_alarm
        self.family = family
        self.flash = flash
        self.max_rows = max_rows
        self.contamination_of_fit = contamination_of_fit
        self.random_state = random_state
        self.threads = threads

    def fit(self, X, y=None):
        """Fit a model of the rows ``X`` of the shape (rows, features). ``y`` is ignored.

        Raises ValueError if the rows or a parameter cannot be used.

        >>> SurprisalDetector().fit(np.arange(400.0).reshape(-1, 2) % 7).n_features_in_
        2
        """
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan")
        rows = X
        if len(X) < _LEAST:
            message = f"{len(X)} rows are too few for a fit; they are repeated, and the threshold is a rough one"
            warnings.warn(message, SurprisalWarning, stacklevel=2)
            rows = np.tile(X, (-(-_LEAST // len(X)), 1))
        self.model_ = Model.fit(
            rows,
            family=self.family,
            flash=self.flash,
            max_rows=self.max_rows,
            contamination=self.contamination_of_fit,
            seed=_seed(self.random_state),
            false_alarm=self.false_alarm,
            keep=[f"x{at}" for at in range(X.shape[1])],
            keep_constant=True,
            threads=self.threads,
        )
        self.decision_scores_ = self.model_.anomaly(X)
        threshold = self.model_.threshold
        if threshold is None:
            threshold = float(np.quantile(self.decision_scores_, 1 - self.false_alarm))
        self.threshold_ = threshold
        self.offset_ = -threshold
        self.labels_ = (self.decision_scores_ > threshold).astype(int)
        return self

    def score_samples(self, X):
        """Return minus the anomaly score of each row in nats: float64 of the shape (rows,). The larger, the more normal.

        >>> x = np.arange(400.0).reshape(-1, 2) % 7
        >>> SurprisalDetector().fit(x).score_samples(x).shape
        (200,)
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        with warnings.catch_warnings():
            # Scikit-learn's users choose whether readings may be missing.
            warnings.simplefilter("ignore", SurprisalWarning)
            return -self.model_.anomaly(X)

    def decision_function(self, X):
        """Return ``score_samples(X) - offset_``, which is negative for outliers: float64 of the shape (rows,), in nats.

        >>> x = np.arange(400.0).reshape(-1, 2) % 7
        >>> bool((SurprisalDetector().fit(x).decision_function(x) >= 0).all())
        True
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Return 1 for normal rows and -1 for outliers: int64 of the shape (rows,).

        >>> x = np.arange(400.0).reshape(-1, 2) % 7
        >>> SurprisalDetector().fit(x).predict(x[:2])
        array([1, 1])
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _seed(random_state):
    """Return the seed of a parameter ``random_state``, which may also be None or a generator."""
    if random_state is None or hasattr(random_state, "randint"):
        return int((random_state or np.random).randint(2**31 - 1))
    return random_state
