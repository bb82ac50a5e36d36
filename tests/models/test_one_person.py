"""One person costs what one person should: no pandas, no LightGBM, and one thread, from a loaded bundle to reasons and
what-ifs."""

import json
import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

WITHOUT = """
import json, os, sys, threading
for name in ("pandas", "lightgbm", "sklearn"):
    sys.modules[name] = None  # any import of it raises
import numpy as np
from models import RiskModel

model = RiskModel.load(sys.argv[1])
row = np.array([[1.5, np.nan, 0.2, -1.0, 1.0]], dtype=np.float32)
before = len(os.listdir("/proc/self/task"))
scores = model.score(row, names=model.feature_names)
reasons = [model.reasons(scores, 0, name, days) for name, horizons in model.outcomes.items() for days in horizons]
model.what_ifs(scores), model.outside_training(scores, 0)
after = len(os.listdir("/proc/self/task"))
probabilities = {name: found.probability.tolist() for name, found in scores.items()}
print(json.dumps({"probabilities": probabilities, "reasons": sum(map(len, reasons)), "threads": after - before}))
"""


def test_scoring_a_person_needs_neither_pandas_nor_lightgbm_and_starts_no_thread(bundle):
    """Where neither can be imported at all, a bundle is opened, self-tested, scored, explained; and the answer is the
    same."""
    import numpy as np

    from models import RiskModel

    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(bundle)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    model = RiskModel.load(bundle)
    row = np.array([[1.5, np.nan, 0.2, -1.0, 1.0]], dtype=np.float32)
    here = model.score(row, names=model.feature_names)
    assert found["probabilities"] == {name: scores.probability.tolist() for name, scores in here.items()}
    assert found["reasons"] > 0
    assert found["threads"] == 0
