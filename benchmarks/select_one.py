"""One peer of `benchmarks.select`, in a process of its own that may run another interpreter than franklin's.

python -m benchmarks.select_one PEER ROWS FOLDER SECONDS SEED

`ROWS` has `facts.json` and `SPLIT.numbers.npy`, `SPLIT.codes.npy` and `SPLIT.label.npy` of each split (see
`benchmarks.select_sets`). Scores of the test rows are left in `FOLDER/scores.npy`; the last line printed is JSON.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.select_peers import PEERS, Asked

NOT_HERE = 3  # exit status: this interpreter lacks the peer's package
ONES = 50  # predictions of one row alone
BINARY = 2


def frame(rows: Path, split: str) -> Any:
    """Rows of a split as a frame; codes are categories, whose levels all splits share."""
    import pandas as pd

    numbers, codes, label = (np.load(rows / f"{split}.{part}.npy") for part in ("numbers", "codes", "label"))
    facts = json.loads((rows / "facts.json").read_text(encoding="utf-8"))
    made = {f"x{i}": numbers[:, i] for i in range(numbers.shape[1])}
    made |= {
        f"c{i}": pd.Categorical.from_codes(codes[:, i], categories=pd.RangeIndex(size))
        for i, size in enumerate(facts["cardinalities"])
    }
    return pd.DataFrame(made | {"y": label if facts["task"] == "regression" else label.astype(np.int64)})


def measure(peer: str, rows: Path, folder: Path, seconds: float, seed: int) -> dict[str, Any]:
    """Have a peer choose, fit and score test; its seconds without imports, and those of a prediction of one row."""
    import pandas as pd

    facts = json.loads((rows / "facts.json").read_text(encoding="utf-8"))
    train, validation, test = (frame(rows, split) for split in ("train", "validation", "test"))
    together = validation if facts["by_date"] else None
    learn = train if facts["by_date"] else pd.concat([train, validation], ignore_index=True)
    folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    predict, chosen = PEERS[peer](Asked(facts["task"], learn, together, seconds, seed, folder))
    took = time.perf_counter() - started
    test = test.drop(columns="y")
    scores = np.asarray(predict(test), np.float64)
    np.save(folder / "scores.npy", scores[:, 1] if facts["task"] == "binary" and scores.ndim == BINARY else scores)
    ones = []
    for place in range(min(ONES, len(test))):
        row = test.iloc[[place]]
        began = time.perf_counter()
        predict(row)
        ones.append(time.perf_counter() - began)
    return {"seconds": took, "chosen": chosen, "one_p50_seconds": float(np.median(ones))}


def main() -> None:
    """Measure, or end with `NOT_HERE`."""
    peer, rows, folder, seconds, seed = sys.argv[1:]
    try:
        found = measure(peer, Path(rows), Path(folder), float(seconds), int(seed))
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in (peer, "pandas"):
            sys.exit(NOT_HERE)
        raise
    print(json.dumps(found))


if __name__ == "__main__":
    main()
