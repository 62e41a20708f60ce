"""Zoobot's own way from a catalog to predictions: run by benchmarks/predicting.py in an environment that has it.

python zoobot_predict.py CATALOG.csv ENCODER SIZE WORKERS OUT.csv      # prints images a second

The time is that of `predict_on_catalog.predict` alone: imports and the making of the network are not counted.
"""

from __future__ import annotations

import logging
import sys
import time
import warnings

import pandas as pd
import timm
from galaxy_datasets.transforms import get_galaxy_transform, minimal_view_config
from zoobot.pytorch.predictions import predict_on_catalog
from zoobot.pytorch.training.finetune import FinetuneableZoobotRegressor


def main() -> None:
    """Predict, then print the rate."""
    logging.disable()
    warnings.filterwarnings("ignore")
    catalog, encoder, size, workers, out = sys.argv[1:]
    galaxies = pd.read_csv(catalog, dtype={"id_str": str})
    network = timm.create_model(encoder, pretrained=False, num_classes=0)
    model = FinetuneableZoobotRegressor(encoder=network, label_col="label")
    view = minimal_view_config()
    view.output_size = int(size)
    started = time.perf_counter()
    predict_on_catalog.predict(
        galaxies,
        model,
        save_loc=out,
        label_cols=["answer"],
        inference_transform=get_galaxy_transform(view),
        datamodule_kwargs={"batch_size": 64, "num_workers": int(workers)},
        trainer_kwargs={"accelerator": "cpu", "logger": False, "enable_progress_bar": False},
    )
    print(len(galaxies) / (time.perf_counter() - started))


if __name__ == "__main__":
    main()
