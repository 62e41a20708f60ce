"""A trained model as an object: predict, embed, evaluate, explain, save."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, overload

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tuningfork.api.messages import speaks_python, with_arguments
from tuningfork.api.scratch import scratch_folder
from tuningfork.errors import ImageError, NothingReadError, OutputError
from tuningfork.files import output_errors
from tuningfork.models import DEFAULT_MODEL, ModelSpec, model_folder, read_manifest
from tuningfork.models import load_model as load_network
from tuningfork.models.model import Model
from tuningfork.packs import Pack, open_images
from tuningfork.schemas import Schema
from tuningfork.sources import ImageArguments, ImageOptions, Images

if TYPE_CHECKING:
    from tuningfork.embeddings import Embedding
    from tuningfork.evaluation import Evaluation
    from tuningfork.explain import Explanation


@speaks_python
def load_model(model: str | PathLike[str] = DEFAULT_MODEL) -> TrainedModel:
    """Load a model.

    Parameters
    ----------
    model : str or path
        The name of a model that ships with the package (``default``), or a model folder.

    Returns
    -------
    TrainedModel

    Raises
    ------
    ModelError
        If there is none, or a file of it is missing or altered.

    Examples
    --------
    >>> import tuningfork as tf
    >>> model = tf.load_model("default")
    >>> [schema.name for schema in model.schemas]
    ['gz-challenge', 'five-classes']
    """
    return TrainedModel(model)


class TrainedModel:
    """A trained model, ready to predict. Made by `load_model` or `train`.

    Parameters
    ----------
    model : str or path
        The name of a bundled model, or a model folder.

    Attributes
    ----------
    folder : Path
        Where it lies.
    network : torch.nn.Module
        The network itself, which takes pixels in the model's geometry; for those who build on it.
    """

    def __init__(self, model: str | PathLike[str] = DEFAULT_MODEL) -> None:
        self.name = str(model)
        self.folder = model_folder(Path(model) if isinstance(model, PathLike) else model)
        self.network: Model = load_network(self.folder)

    @property
    def spec(self) -> ModelSpec:
        """What the network is built from: geometry, heads, schemas."""
        return self.network.spec

    @property
    def schemas(self) -> Sequence[Schema]:
        """What it answers, one schema a head."""
        return self.network.schemas

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """All that ``model.json`` says: recipe, data, figures, hashes."""
        return read_manifest(self.folder)

    @property
    def card(self) -> str:
        """The model card, Markdown; empty where there is none."""
        path = self.folder / "card.md"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @overload
    def predict(
        self,
        images: Images | Pack,
        out: None = None,
        *,
        tta: int | None = None,
        columns: str = "readable",
        layout: str = "table",
        device: str = "auto",
        engine: str = "auto",
        workers: int | None = None,
        overwrite: bool = False,
        **said: Unpack[ImageArguments],
    ) -> pd.DataFrame: ...

    @overload
    def predict(
        self,
        images: Images | Pack,
        out: str | PathLike[str],
        *,
        tta: int | None = None,
        columns: str = "readable",
        layout: str = "table",
        device: str = "auto",
        engine: str = "auto",
        workers: int | None = None,
        overwrite: bool = False,
        **said: Unpack[ImageArguments],
    ) -> Path: ...

    @speaks_python
    def predict(
        self,
        images: Images | Pack,
        out: str | PathLike[str] | None = None,
        *,
        tta: int | None = None,
        columns: str = "readable",
        layout: str = "table",
        device: str = "auto",
        engine: str = "auto",
        workers: int | None = None,
        overwrite: bool = False,
        **said: Unpack[ImageArguments],
    ) -> pd.DataFrame | Path:
        """Predict for every image.

        Parameters
        ----------
        images : path, list, array, table or Pack
            A folder, a pattern, a catalogue, an archive, a pack; a list or a Series of files; a DataFrame or an
            astropy Table that names files; uint8 arrays (N, H, W, C) or (H, W, C) of any size; Pillow images; FITS
            units (HDUs).
        out : str or path, optional
            Where to write the table: .parquet, .csv, .fits, .vot. A killed call goes on when it is made again.
        tta : int, optional
            Test-time augmentation: over how many views answers are averaged, 1, 2, 4, 8, 16 or 32. Default: as many as
            the model was calibrated with; intervals, the flag `ood` and calibrated probabilities are for these alone,
            and null (probabilities: as the network gives them) with another number.
        columns : {'readable', 'schema'}
            Names of the answers: ``spiral_arms_yes``, or those of the schema's labels, ``Class4.1``.
        layout : {'table', 'kaggle', 'spreadsheet'}
            ``kaggle`` is the challenge's submission; ``spreadsheet`` a CSV in which no text is a formula.
        device, engine : str
            What the networks run on, and what runs them. Default: the quickest there is.
        workers : int, optional
            How many threads decode. Default: cores + 1; for tiles, 1.
        overwrite : bool
            Replace a file that is there already.
        **said
            What is known of the images, as `ImageArguments` has it: `survey`, `bands`, `zero_point`, `field`, ...

        Returns
        -------
        DataFrame or Path
            A row for every image asked about, in the order asked; where `out` is given, its path. An image that could
            not be read has its reason in `error`; what was assumed of an image is in `note`.

        Raises
        ------
        CatalogError, ImageError, ModelError, OutputError
            If there are no images, none can be read, or the output can't be written.

        Examples
        --------
        >>> import numpy as np, tuningfork as tf
        >>> galaxy = np.zeros((2, 100, 100, 3), np.uint8)
        >>> galaxy[:, 40:60, 40:60] = 200
        >>> table = tf.load_model().predict(galaxy, tta=1)
        >>> table["spiral_arms_yes"].between(0, 1).all()
        np.True_
        """
        from tuningfork.inference import predict

        target = Path(out) if out is not None else scratch_folder() / "predictions.parquet"
        try:
            predict(
                images,
                target,
                model=self.folder,
                layout=layout,
                columns=columns,
                tta=tta,
                device=device,
                engine=engine,
                options=ImageOptions.of(said),
                workers=workers,
                overwrite=overwrite,
            )
        except NothingReadError as error:
            raise error if out is not None else ImageError(error.said) from None
        if out is not None:
            return target
        table: pd.DataFrame = pq.read_table(target).to_pandas(
            types_mapper={pa.bool_(): pd.BooleanDtype()}.get
        )  # a flag may be null
        shutil.rmtree(target.parent)
        return with_arguments(table)

    @speaks_python
    def embed(
        self,
        images: Images | Pack,
        out: str | PathLike[str] | None = None,
        *,
        maps: str | Sequence[str] = (),
        seed: int = 0,
        device: str = "auto",
        engine: str = "auto",
        workers: int | None = None,
        overwrite: bool = False,
        **said: Unpack[ImageArguments],
    ) -> Embedding:
        """The features of every image, and maps of them.

        Parameters
        ----------
        images : path, list, array, table or Pack
            As of `predict`.
        out : str or path, optional
            Where to keep it: .parquet. Default: as long as the process lives; see `Embedding.save`.
        maps : {'pca', 'tsne', 'umap'} or a sequence of them
            Maps to two dimensions.
        seed : int
            Of the maps.
        device, engine : str
            As of `predict`.
        workers : int, optional
            As of `predict`.
        overwrite : bool
            Replace a file that is there already.
        **said
            As of `predict`.

        Returns
        -------
        Embedding
            Features (N, F), and what is known of each image.

        Raises
        ------
        CatalogError, ImageError, ModelError, OutputError, TuningforkError
            As of `predict`; or if a map needs a library that is not installed, or there are too few images for one.
        """
        from tuningfork.embeddings import read_embedding
        from tuningfork.inference import embed

        target = Path(out) if out is not None else scratch_folder() / "embedding.parquet"
        embed(
            images,
            target,
            model=self.folder,
            maps=[maps] if isinstance(maps, str) else maps,
            seed=seed,
            device=device,
            engine=engine,
            options=ImageOptions.of(said),
            workers=workers,
            overwrite=overwrite,
        )
        found = read_embedding(target, encode=lambda others: self.encode(others, **said))
        return found if out is not None else replace(found, table=with_arguments(found.table))

    @speaks_python
    def encode(self, images: Images | Pack, **said: Unpack[ImageArguments]) -> np.ndarray:
        """The features of a few images, in memory.

        Parameters
        ----------
        images : path, list, array, table or Pack
            As of `predict`.
        **said
            As of `predict`.

        Returns
        -------
        ndarray
            (N, F) float32.

        Raises
        ------
        ImageError
            If one can't be read.
        """
        import torch

        pixels = np.stack([image for _, image in self._decoded(images, said)])
        return np.asarray(self.network.infer(torch.from_numpy(pixels)).features.cpu().numpy())

    @speaks_python
    def evaluate(
        self, data: Pack | str | PathLike[str], split: str = "test", *, where: Sequence[str] = (), seed: int = 0
    ) -> Evaluation:
        """Measure it on one split of a pack.

        Parameters
        ----------
        data : Pack or path
            Labelled galaxies, packed.
        split : {'test', 'val', 'train', 'all'}
            Which of them.
        where : sequence of str
            Only those with these values, each ``column=value`` or ``column=one|other``.
        seed : int
            Of the bootstrap resamples behind the intervals.

        Returns
        -------
        Evaluation

        Raises
        ------
        PackError, SchemaError
            If the split is empty, the geometries differ, or there are no labels for what the model answers.
        """
        from tuningfork.inference import evaluate_model

        pack = data if isinstance(data, Pack) else Path(data)
        return evaluate_model(self.folder, pack, split=split, where=where, seed=seed)

    @speaks_python
    def explain(self, image: Images | Pack, answer: str | None = None, **said: Unpack[ImageArguments]) -> Explanation:
        """What its answer for one image rests on: Grad-CAM, occlusion, feature maps.

        Parameters
        ----------
        image : path, array, picture or FITS unit
            One image, as of `predict`.
        answer : str, optional
            The column of the answer to explain. Default: the one most worth explaining.
        **said
            As of `predict`.

        Returns
        -------
        Explanation
            Its `plot()` draws it. Of an ensemble the first member is explained.

        Raises
        ------
        ImageError
            If the image can't be read, or there are several.
        ModelError
            If the model gives no such answer.
        """
        from tuningfork.explain import explain_pixels

        found = self._decoded(image, said)
        if len(found) != 1:
            raise ImageError(f"{len(found)} images were given, and one is explained at a time; give one")
        (name, pixels), network = found[0], self.network.members[0]
        return explain_pixels(network, name, pixels, answer)

    @speaks_python
    def calibrate(
        self,
        data: Pack | str | PathLike[str],
        split: str = "val",
        *,
        tta: int = 8,
        where: Sequence[str] = (),
        overwrite: bool = False,
    ) -> TrainedModel:
        """Measure its uncertainty on labelled galaxies that it was not trained on; the model with its intervals.

        A bundled model is copied first: its own folder is left alone. Any other model's folder is written to.

        Parameters
        ----------
        data : Pack or path
            Labelled galaxies, packed.
        split : str
            Which of them.
        tta : int
            Test-time augmentation that the intervals will hold for.
        where : sequence of str
            Only those with these values.
        overwrite : bool
            Replace what was measured on other galaxies. A copy of a bundled model is yours: there it goes without.

        Returns
        -------
        TrainedModel
            With intervals, calibrated probabilities and the out-of-distribution flag.

        Raises
        ------
        ModelError, PackError
            If there are too few galaxies, the geometries differ, or the model has been calibrated on other galaxies and
            `overwrite` is not set.
        """
        from tuningfork.inference import calibrate
        from tuningfork.models import bundled_models

        folder = self.folder
        if folder.resolve() in [model_folder(name).resolve() for name in bundled_models()]:
            folder, overwrite = self.save(scratch_folder() / self.folder.name), True
        pack = data.path if isinstance(data, Pack) else Path(data)
        calibrate(folder, pack, split=split, tta=tta, where=where, overwrite=overwrite)
        return TrainedModel(folder)

    @speaks_python
    def adapt(
        self,
        data: Pack | str | PathLike[str],
        out: str | PathLike[str] | None = None,
        *,
        split: str = "all",
        where: Sequence[str] = (),
        tta: int | None = None,
        seed: int = 0,
    ) -> TrainedModel:
        """Adapt it to galaxies of another survey by some labels of them; the adapted model.

        Its heads are corrected as far as cross-validation shows that it helps, its intervals are made to hold for these
        galaxies, and its out-of-distribution flag is fitted to their images. What it was before and is after is in
        ``adaptation`` of its manifest, and in its card.

        Parameters
        ----------
        data : Pack or path
            50 galaxies at the least, 20 of them with labels, at the geometry of a model that does not look for them.
        out : str or path, optional
            The model folder to write; a temporary one by default.
        split : {'all', 'train', 'val', 'test'}
            Which of them to learn from.
        where : sequence of str
            Only those with these values, each written ``column=value``.
        tta : int, optional
            Test-time augmentation that answers and intervals hold for. Default: as the model was calibrated, else 8.
        seed : int
            Of the folds of cross-validation.

        Returns
        -------
        TrainedModel
            The adapted model; this one is as it was.

        Raises
        ------
        ModelError, PackError
            If it is an ensemble, there are too few galaxies or labels, or the geometries differ.
        """
        from tuningfork.adaptation import adapt

        folder = Path(out) if out is not None else scratch_folder() / f"{self.folder.name}-adapted"
        packed = data.path if isinstance(data, Pack) else Path(data)
        return TrainedModel(adapt(self.folder, packed, folder, split=split, where=where, tta=tta, seed=seed))

    @speaks_python
    def save(self, out: str | PathLike[str]) -> Path:
        """Copy its folder.

        Parameters
        ----------
        out : str or path
            The folder to write.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        OutputError
            If something is there already, or it can't be written.
        """
        target = Path(out)
        if target.exists():
            raise OutputError(f"{target} exists; name a folder that does not")
        with output_errors(target):
            shutil.copytree(self.folder, target, ignore=shutil.ignore_patterns("checkpoints", "logs"))
        return target

    def _decoded(self, images: Images | Pack, said: ImageArguments) -> list[tuple[str, np.ndarray]]:
        """The name and pixels (size, size, C) of each of a few images."""
        options = ImageOptions.of(said)
        source = open_images(images, self.spec.geometry, options=options, trained=self.spec.trained)
        found = []
        for image in source.decoded():
            if image.pixels is None:
                raise ImageError(f"{image.file_loc or image.id_str}: {image.error}")
            found.append((image.id_str, np.asarray(image.pixels)))
        return found

    def __repr__(self) -> str:
        return f"TrainedModel {self.name!r}\n" + "\n".join(f"  {name:11} {text}" for name, text in self._facts())

    def _repr_html_(self) -> str:
        frame = pd.DataFrame(self._facts(), columns=["", self.name])
        return str(frame.to_html(index=False))

    def _facts(self) -> list[tuple[str, str]]:
        """What a user should know before using it."""
        spec, calibration = self.spec, self.manifest.get("calibration")
        answers = "; ".join(f"{schema.title} ({schema.name})" for schema in self.schemas)
        members = [member.spec for member in self.network.members]
        views = dict.fromkeys(f"{member.part} at {member.view.size} x {member.view.size} pixels" for member in members)
        encoders = ", ".join(member.encoder for member in members)
        colours = "three colours" if spec.geometry.channels == 3 else f"{spec.geometry.channels} channel(s)"
        if calibration:
            known = (
                f"on {calibration['n']:,} galaxies of {calibration['split']} of {calibration['pack']}, "
                f"tta={calibration['views']}"
            )
        else:
            known = "no: there are no intervals; see calibrate()"
        licence = re.search(r"\*\*Licence\.\*\*(.*?)(\n\n|\Z)", self.card, re.DOTALL)
        return [
            ("answers", answers),
            ("sees", f"{' and '.join(views)}, {colours}"),
            (
                "encoder" if len(members) == 1 else "ensemble of",
                f"{encoders}, {sum(p.numel() for p in self.network.parameters()):,} parameters",
            ),
            ("calibrated", known),
            ("licence", " ".join(licence[1].split()) if licence else "see the model card"),
        ]
