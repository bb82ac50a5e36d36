"""The registered model as code: MLflow runs this file when it loads a version, and nothing is unpickled.

It opens and verifies the served bundle, so that ``mlflow.pyfunc.load_model`` and ``mlflow models serve`` give the
probabilities that the service gives. Nothing in this project imports this module: ``tracking`` hands its path to
MLflow.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from models.risk_model import RiskModel


class ServedBundle(PythonModel):  # type: ignore[misc, unused-ignore]
    """Calibrated probabilities of every outcome and horizon of one bundle."""

    def load_context(self, context: Any) -> None:
        self.model = RiskModel.load(context.artifacts["bundle"])

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:
        """One row for each row of features, and one column for each outcome and horizon (``admission_28``); a Series
        if only one of them was requested.

        ``params``: ``outcomes`` and ``horizons`` (days) choose among those that the model was trained for; by default
        all of them. Raises ValueError for an outcome or a horizon that it does not know.
        """
        asked = params or {}
        outcomes = [str(name) for name in asked.get("outcomes", [])] or list(self.model.outcomes)
        horizons = [int(days) for days in asked.get("horizons", [])]
        if unknown := [name for name in outcomes if name not in self.model.outcomes]:
            raise ValueError(f"no outcome {', '.join(unknown)}; there are {', '.join(self.model.outcomes)}")
        known = sorted({days for name in outcomes for days in self.model.outcomes[name]})
        if wrong := [days for days in horizons if days not in known]:
            raise ValueError(f"no horizon of {wrong[0]} days; there are {', '.join(map(str, known))}")
        names = self.model.feature_names
        values = np.ascontiguousarray(model_input[list(names)].to_numpy(dtype=np.float32, na_value=np.nan))
        scores = self.model.score(values, contributions=False, names=names, outcomes=outcomes)
        columns = {
            f"{name}_{days}": scores[name].probability[:, column]
            for name in outcomes
            for column, days in enumerate(self.model.outcomes[name])
            if not horizons or days in horizons
        }
        found = pd.DataFrame(columns, index=model_input.index)
        return found.iloc[:, 0] if len(columns) == 1 else found


set_model(ServedBundle())
