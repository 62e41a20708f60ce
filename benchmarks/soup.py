"""The mean of the weights of models that were trained on from one another (Wortsman et al. 2022, arXiv:2109.01903).

python benchmarks/soup.py runs/four runs/seven runs/half
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from tuningfork.models import load_uncalibrated, read_manifest, save_model


def main() -> None:
    """Write a model like the first, to begin another training with."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    networks = [load_uncalibrated(name).members[0] for name in options.models]
    made, weights = networks[0], [network.state_dict() for network in networks]
    with torch.no_grad():
        for name, values in made.state_dict().items():
            if values.is_floating_point():
                values.copy_(torch.stack([each[name] for each in weights]).mean(dim=0))
    options.out.mkdir(parents=True)
    manifest = read_manifest(options.models[0])
    left_out = {*made.spec.as_dict(), "calibration", "sha256"}
    save_model(made, options.out, {key: value for key, value in manifest.items() if key not in left_out})


if __name__ == "__main__":
    main()
