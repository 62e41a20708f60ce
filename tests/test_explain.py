"""What a model looks at: maps that point where evidence was planted, numbers that an independent formula gives."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam, Occlusion
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from torch.nn import functional
from typer.testing import CliRunner

from tuningfork.cli.app import build
from tuningfork.errors import ModelError, OutputError, PackError
from tuningfork.explain import explain_images, feature_maps, gradcam, occlusion
from tuningfork.explain.features import network_view
from tuningfork.explain.figures import Explanation, explanation_figure
from tuningfork.explain.galaxy import drop_figures, evidence_figures
from tuningfork.explain.occluding import patch_starts, sky_level
from tuningfork.explain.run import _file_names
from tuningfork.explain.target import Target, answer_lines, find_target, leading_target
from tuningfork.images import Geometry
from tuningfork.models import GalaxyModel, HeadSpec, ModelSpec, View, load_model
from tuningfork.packs import make_pack
from tuningfork.report import write_report
from tuningfork.schemas import load_schema

SIZE = 32
HEADS = {"five-classes": "classes", "gz-challenge": "tree"}


def make_model(encoder: str = "plain", *schemas: str, size: int = SIZE, **options: object) -> GalaxyModel:
    """A network with random weights, ready to predict; five classes by default."""
    torch.manual_seed(0)
    names = schemas or ("five-classes",)
    model = GalaxyModel(
        ModelSpec(
            encoder=encoder,
            options=options,
            geometry=Geometry(1.0, size, 3),
            view=View(1.0, size),
            mean=(0.2,) * 3,
            std=(0.3,) * 3,
            heads=tuple(HeadSpec(schema=name, kind=HEADS[name]) for name in names),
            schemas=tuple(load_schema(name) for name in names),
        )
    ).eval()
    for module in model.modules() if encoder == "plain" else ():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            torch.nn.init.kaiming_normal_(module.weight)  # the signal must reach the end of an untrained network
    return model


def random_pixels(n: int, size: int = SIZE) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def red_model() -> GalaxyModel:
    """A network whose first class is likelier the more red there is: each layer only hands redness on."""
    model = make_model(width=4)
    with torch.no_grad():
        convolutions = [module for module in model.encoder.modules() if isinstance(module, torch.nn.Conv2d)]
        for module in convolutions:
            module.weight.zero_()
            module.weight[0, 0, 1, 1] = 1.0
        convolutions[0].weight[0, :, 1, 1] = torch.tensor([1.0, -0.5, -0.5])  # white and black are both 0
        final = model.heads["five-classes"].layers[-1]
        final.weight.zero_()
        final.bias.zero_()
        final.weight[0, 0] = 8.0
    return model


def planted() -> np.ndarray:
    """A dark image with a red square up left and white ones of the same size elsewhere: (1, 32, 32, 3)."""
    pixels = np.zeros((1, SIZE, SIZE, 3), np.uint8)
    for row, column in ((8, 20), (20, 8), (20, 20)):
        pixels[:, row : row + 8, column : column + 8] = 255
    pixels[:, 8:16, 8:16, 0] = 255
    return pixels


def test_both_maps_find_planted_evidence(red_model):
    for heat in (
        gradcam(red_model, planted(), "five_class_round")[0],
        occlusion(red_model, planted(), "five_class_round", 8, 4)[0],
    ):
        assert heat.shape == (SIZE, SIZE)
        row, column = np.unravel_index(heat.argmax(), heat.shape)
        assert 8 <= row < 16 and 8 <= column < 16
        assert heat[4:20, 4:20].sum() == pytest.approx(heat.sum()) and heat.sum() > 0


def test_evidence_against_an_answer_is_not_evidence_for_it(red_model):
    assert not gradcam(red_model, planted(), "five_class_cigar").any()
    assert occlusion(red_model, planted(), "five_class_cigar", 8, 4).min() < 0


@pytest.mark.parametrize(("encoder", "options"), [("plain", {"width": 4}), ("equivariant", {"width": 2})])
def test_maps_are_captums(encoder: str, options: dict[str, int]) -> None:
    model, pixels, patch, stride = make_model(encoder, "gz-challenge", **options), random_pixels(2), 8, 4
    index = load_schema("gz-challenge").columns.index("Class4.1")
    images = network_view(model, pixels)
    body = model.encoder.get_submodule(feature_maps(model, pixels)[-1].layer)

    def answer(images: torch.Tensor) -> torch.Tensor:
        return model.answers(model(images))["gz-challenge"][:, index]

    cam = LayerGradCam(answer, body).attribute(images.clone().requires_grad_(), relu_attributions=True).detach()
    assert cam.shape[-1] >= 4 and cam.amax(dim=(1, 2, 3)).min() > 0
    large = torch.nn.functional.interpolate(cam / cam.amax(dim=(1, 2, 3), keepdim=True), (SIZE, SIZE), mode="bilinear")
    np.testing.assert_allclose(gradcam(model, pixels, "Class4.1"), large[:, 0].numpy(), atol=1e-6)
    sky = torch.stack([sky_level(image).expand_as(image) for image in images])
    drop = Occlusion(answer).attribute(images, (3, patch, patch), (3, stride, stride), baselines=sky)
    np.testing.assert_allclose(occlusion(model, pixels, "Class4.1", patch, stride), drop[:, 0].numpy(), atol=1e-6)


def test_occlusion_is_a_loop_over_patches():
    model, pixels, patch, stride = make_model("plain", "gz-challenge", width=4), random_pixels(2), 8, 5
    index = load_schema("gz-challenge").columns.index("Class4.1")
    expected, count = np.zeros((2, SIZE, SIZE)), np.zeros((SIZE, SIZE))
    rim = np.ones((SIZE, SIZE), bool)
    rim[2:-2, 2:-2] = False
    starts = [0, 5, 10, 15, 20, 24]
    for row in starts:
        for column in starts:
            count[row : row + patch, column : column + patch] += 1
            for galaxy in range(2):
                image = torch.from_numpy(pixels[galaxy] / np.float32(255)).permute(2, 0, 1)[None].clone()
                with torch.inference_mode():
                    whole = model.answers(model(image))["gz-challenge"][0, index]
                    for channel in range(3):
                        level = image[0, channel][torch.from_numpy(rim)].sort().values
                        sky = level[(len(level) - 1) // 2]
                        image[0, channel, row : row + patch, column : column + patch] = sky
                    drop = whole - model.answers(model(image))["gz-challenge"][0, index]
                expected[galaxy, row : row + patch, column : column + patch] += float(drop)
    found = occlusion(model, pixels, "Class4.1", patch, stride)
    assert np.abs(expected).max() > 1e-5
    np.testing.assert_allclose(found, expected / count, atol=1e-6)


@given(size=st.integers(1, 40), data=st.data())
def test_patches_cover_the_view_to_its_rim(size, data):
    patch = data.draw(st.integers(1, size))
    starts = patch_starts(size, patch, data.draw(st.integers(1, patch)))
    covered = np.zeros(size, int)
    for start in starts:
        covered[start : start + patch] += 1
    assert starts[-1] + patch == size and (covered > 0).all() and starts == sorted(set(starts))


@pytest.mark.parametrize(("patch", "stride"), [(0, 1), (33, 1), (4, 0), (4, 33)])
def test_a_patch_that_does_not_fit_is_refused(patch, stride):
    with pytest.raises(ValueError, match="must be 1 to 32"):
        patch_starts(SIZE, patch, stride)


def test_gradcam_is_the_formula_of_the_paper():
    model, pixels = make_model("plain", "gz-challenge", width=4), random_pixels(2)
    column = load_schema("gz-challenge").columns.index("Class1.2")
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    maps = model.encoder.body((images - 0.2) / 0.3).detach().requires_grad_()
    for galaxy in range(2):
        # The network below the maps, written out: global average, linear layer, softmax of the first question.
        raw = model.heads["gz-challenge"].layers[-1](maps[galaxy].mean(dim=(1, 2)))
        answer = raw[:3].softmax(dim=0)[column]
        (gradient,) = torch.autograd.grad(answer, maps)
        heat = torch.einsum("k,kij->ij", gradient[galaxy].mean(dim=(1, 2)), maps[galaxy].detach()).clamp(min=0)
        assert heat.max() > 0
        large = functional.interpolate((heat / heat.max())[None, None], SIZE, mode="bilinear", align_corners=False)
        np.testing.assert_allclose(gradcam(model, pixels, "Class1.2")[galaxy], large[0, 0], atol=1e-5)


def test_gradients_of_a_leaf_come_down_the_whole_tree():
    """The fraction of everyone in the second question depends on the first one's logits too."""
    model = make_model("plain", "gz-challenge", width=4)
    schema = load_schema("gz-challenge")
    with torch.no_grad():  # the second question's own answers no longer depend on the image
        model.heads["gz-challenge"].layers[-1].weight[schema.slices["edge-on"]] = 0
    found = [gradcam(model, random_pixels(1), column) for column in ("Class1.2", "Class2.1")]
    assert found[0].max() > 0
    np.testing.assert_allclose(*found, atol=1e-5)


@pytest.mark.parametrize(
    ("encoder", "options", "size", "sides", "channels"),
    [
        ("plain", {"width": 4}, 32, [32, 16, 8, 4], [4, 8, 16, 32]),
        ("resnet18", {}, 64, [32, 16, 8, 4, 2], [64, 64, 128, 256, 512]),
        ("vit_tiny_patch16_224", {"depth": 3}, 64, [4] * 3, [192] * 3),
        (
            "swin_tiny_patch4_window7_224",
            {"depths": (1, 1, 1, 1), "embed_dim": 24},
            96,
            [24, 12, 6, 3],
            [24, 48, 96, 192],
        ),
    ],
)
def test_feature_maps_go_from_first_to_last(encoder, options, size, sides, channels):
    pixels = random_pixels(2, size)
    model = make_model(encoder, size=size, **options)
    maps = feature_maps(model, pixels)
    assert [stage.values.shape for stage in maps] == [
        (2, count, side, side) for side, count in zip(sides, channels, strict=True)
    ]
    assert all(np.isfinite(stage.values).all() and stage.values.std() > 0 for stage in maps)
    assert gradcam(model, pixels, "five_class_round").shape == (2, size, size)


def test_token_maps_keep_their_places():
    """A bright corner patch of a vision transformer is in the corner of its maps, whatever the tokens' order."""
    pixels = np.zeros((1, 64, 64, 3), np.uint8)
    pixels[:, :16, 48:] = 255
    first = feature_maps(make_model("vit_tiny_patch16_224", size=64, depth=2), pixels)[0].values[0]
    usual = np.median(first, axis=(1, 2), keepdims=True)
    distance = np.linalg.norm(first - usual, axis=0)
    assert np.unravel_index(distance.argmax(), distance.shape) == (0, 3)


def test_maps_of_a_network_of_valid_convolutions_and_dense_layers():
    """Serrano's: 70 px, four 3x3 valid convolutions each with a 2x2 pool; stages end where the size halves."""
    options = {"stages": [[32], [64], [128], [128]], "dense": [64]}
    model = make_model("conv-dense", size=70, **options)
    maps = feature_maps(model, random_pixels(1, 70))
    assert [stage.values.shape[1:] for stage in maps] == [
        (32, 68, 68),
        (64, 32, 32),
        (128, 14, 14),
        (128, 5, 5),
        (128, 2, 2),
    ]
    heat = gradcam(model, random_pixels(1, 70), "five_class_round")
    assert heat.shape == (1, 70, 70) and len(np.unique(heat)) > 16  # of the 5 x 5 maps: 2 x 2 says nothing of where


@settings(max_examples=12)
@given(arrays.arrays(np.uint8, (1, SIZE, SIZE, 3), elements=st.integers(0, 255)))
def test_maps_of_any_image_are_in_range(pixels):
    model = make_model("plain", "gz-challenge", width=2)
    heat = gradcam(model, pixels, "Class1.1")
    drops = occlusion(model, pixels, "Class1.1", 16, 16)
    assert heat.shape == drops.shape == (1, SIZE, SIZE)
    assert ((heat >= 0) & (heat <= 1)).all()
    assert (np.abs(drops) <= 1).all()
    assert heat.dtype == drops.dtype == np.float32


def test_an_unknown_answer_names_the_nearest():
    with pytest.raises(ModelError, match=r"no answer 'Class1\.9'; the nearest are Class1"):
        find_target(make_model("plain", "gz-challenge", width=2), "Class1.9")


def test_the_answer_worth_explaining():
    schema = load_schema("gz-challenge")
    model = make_model("plain", "gz-challenge", "five-classes", width=2)

    def leading(**fractions: float) -> str:
        values = np.zeros(len(schema.columns), np.float32)
        for column, value in fractions.items():
            values[schema.columns.index(column.replace("_", "."))] = value
        return leading_target(model, {"gz-challenge": values}).column

    assert leading(Class1_1=0.9, Class7_2=0.7, Class7_1=0.2, Class6_2=0.95) == "roundedness_in_between"
    assert leading(Class1_2=0.9, Class2_2=0.8, Class4_1=0.6, Class3_2=0.7, Class6_2=1.0) == "spiral_arms_yes"
    assert leading(Class1_1=0.45, Class1_2=0.4, Class6_2=0.9) == "smooth_or_featured_smooth"
    classes = make_model(width=2)
    assert leading_target(classes, {"five-classes": np.array([0.1, 0.2, 0.1, 0.4, 0.2])}).index == 3


def test_answers_are_listed_with_the_one_explained():
    model = make_model("plain", "gz-challenge", width=2)
    values = np.linspace(0.01, 0.37, 37).astype(np.float32)
    lines = answer_lines(find_target(model, "Class1.1"), values, 8)
    assert len(lines) == 8 and lines[-1] == ("Smooth or featured: smooth", "0.01", pytest.approx(0.01), True)
    assert [line[2] for line in lines] == sorted((line[2] for line in lines), reverse=True)


def test_quantities_are_shown_on_their_range():
    schema = load_schema("efigi")
    values = np.array([entry.low for entry in schema.quantities], np.float32)
    values[0] = schema.quantities[0].high
    lines = answer_lines(Target(schema, 1), values, 8)
    assert [line[2] for line in lines] == [1.0] + [0.0] * (len(values) - 1)
    assert [line[3] for line in lines].index(True) == 1


def test_a_quantity_in_steps_is_explained_by_what_it_is_steps_of():
    head, schema = HeadSpec(schema="efigi", kind="quantities", loss="ordinal"), load_schema("efigi")
    spec = ModelSpec(
        "plain", {"width": 4}, Geometry(1.0, SIZE, 3), View(1.0, SIZE), (0.2,) * 3, (0.3,) * 3, (head,), (schema,)
    )
    torch.manual_seed(0)
    model = GalaxyModel(spec).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            torch.nn.init.kaiming_normal_(module.weight)
    drops = occlusion(model, random_pixels(1), "T", 8, 4)
    assert len(np.unique(drops)) > 20  # not whole types
    assert gradcam(model, random_pixels(4), "T").any()


@pytest.mark.parametrize(("channels", "panels"), [(1, 4), (3, 7), (5, 9)])
def test_each_channel_has_its_panel(channels, panels):
    rng = np.random.default_rng(0)
    shown = Explanation(
        title="any",
        column="spiral",
        value=0.7,
        image=rng.random((16, 16, channels)),
        evidence=np.zeros((16, 16)),
        side=4,
        drops=np.zeros((16, 16)),
        full=1.0,
        patch=2,
        extremes=(0.0, 0.0),
        answers=[("Spiral", "0.70", 0.7, True)],
        unit="predicted probabilities",
    )
    drawn = explanation_figure(shown)
    drawn.canvas.draw()
    assert len(drawn.axes) == panels


def test_figures_of_a_map():
    even = evidence_figures(np.ones((8, 8), np.float32))
    assert even == {"centroid_offset": pytest.approx(0), "inner_half": pytest.approx(0.25)}
    corner = np.zeros((8, 8), np.float32)
    corner[0, 0] = 0.5
    assert evidence_figures(corner) == {"centroid_offset": pytest.approx(np.hypot(7, 7) / 16), "inner_half": 0.0}
    assert evidence_figures(np.zeros((8, 8), np.float32)) == {"centroid_offset": None, "inner_half": None}
    drops = np.zeros((2, 2), np.float32)
    drops[1, 0] = 0.25
    assert drop_figures(drops, [0, 4], 4, 8) == {"largest_drop": 0.25, "x": 0.25, "y": 0.75}


def test_file_names_are_safe_and_never_shared():
    taken: set[str] = set()
    names = [
        _file_names(identity, taken) for identity in ("a/b", "a_b", "A_B", "x-features", "x", "..", "..", "é" * 200)
    ]
    flat = [name for pair in names for name in pair]
    assert names[0][0] == "a_b.png" and names[1][0] == "a_b-2.png"
    assert len({name.casefold() for name in flat}) == len(flat)
    assert all("/" not in name and not name.startswith(".") and len(name.encode()) < 255 for name in flat)


@pytest.fixture(scope="module")
def images(galaxies: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two galaxies and between them a file that is no image."""
    folder = tmp_path_factory.mktemp("explain") / "images"
    folder.mkdir()
    for name in ("g0000", "g0002"):
        (folder / f"{name}.jpg").write_bytes((galaxies.parent / "images" / f"{name}.jpg").read_bytes())
    (folder / "g0001.jpg").write_text("no image")
    return folder


@pytest.fixture(scope="module")
def explained(model: Path, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("explained") / "explanation"
    done = CliRunner().invoke(build(), ["explain", str(model), str(images), str(out)])
    assert done.exit_code == 0, done.output
    assert done.output.strip().endswith(f"explanations: {out}")
    return out


def test_the_command_explains_what_it_can_read(explained, model):
    manifest = json.loads((explained / "explanation.json").read_text())
    assert (manifest["format"], manifest["version"]) == ("tuningfork-explanation", 1)
    assert manifest["inputs"]["model"] == json.loads((model / "model.json").read_text())["sha256"]
    assert [error["id_str"] for error in manifest["errors"]] == ["g0001"] and manifest["errors"][0]["error"]
    assert [galaxy["id_str"] for galaxy in manifest["galaxies"]] == ["g0000", "g0002"]
    listed = {name for galaxy in manifest["galaxies"] for name in galaxy["plots"]}
    assert listed == {path.name for path in explained.iterdir()} - {"explanation.json"} and len(listed) == 4
    for name in listed:
        with Image.open(explained / name) as picture:
            picture.load()
    network = load_model(model)
    for galaxy in manifest["galaxies"]:
        assert find_target(network, galaxy["answer"]).words == galaxy["words"]
        assert 0 <= galaxy["value"] <= 1 and galaxy["gradcam"]["side"] >= 4


def test_the_same_galaxies_give_the_same_bytes(explained, model, images, tmp_path):
    again = json.loads((explain_images(model, images, tmp_path / "again") / "explanation.json").read_text())
    first = json.loads((explained / "explanation.json").read_text())
    assert again["galaxies"] == first["galaxies"]


def test_a_killed_run_goes_on(explained, model, images, tmp_path, monkeypatch):
    from tuningfork.explain import run

    drawn, real = [], run.explain_pixels

    def killed_at_the_second(network, identity, *rest):
        drawn.append(identity)
        if drawn == ["g0000", "g0002"]:
            raise KeyboardInterrupt
        return real(network, identity, *rest)

    monkeypatch.setattr(run, "explain_pixels", killed_at_the_second)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        explain_images(model, images, out)
    assert not (out / "explanation.json").exists()
    explain_images(model, images, out)
    assert drawn == ["g0000", "g0002", "g0002"]
    ours, whole = (json.loads((folder / "explanation.json").read_text()) for folder in (out, explained))
    assert (ours["galaxies"], ours["errors"]) == (whole["galaxies"], whole["errors"])
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_wrong_answer_is_one_line_and_nothing_is_written(model, images, tmp_path):
    done = CliRunner().invoke(
        build(), ["explain", str(model), str(images), str(tmp_path / "out"), "--answer", "five_class_spirals"]
    )
    assert isinstance(done.exception, ModelError) and "five_class_spiral" in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_a_pack_and_an_answer_by_name(model, pack, tmp_path):
    out = explain_images(model, pack, tmp_path / "out", answer="five_class_round", limit=1)
    (galaxy,) = json.loads((out / "explanation.json").read_text())["galaxies"]
    assert galaxy["answer"] == "five_class_round" and galaxy["file_loc"] == "images/g0000.jpg"


def test_a_pack_of_another_geometry_is_refused(model, galaxies, tmp_path):
    make_pack(galaxies, tmp_path / "pack", geometry=Geometry(1.0, 24, 3))
    with pytest.raises(PackError, match=r"pack again with --field 0\.9 --size 36"):
        explain_images(model, tmp_path / "pack", tmp_path / "out")


def test_the_report_shows_an_explanation(explained, tmp_path):
    page = write_report([explained], tmp_path / "report.html").read_text()
    assert page.count("data:image/webp") == 3  # what two answers rest on, and the feature maps of one galaxy
    for said in ("Grad-CAM", "g0000", "g0002", "g0001", "largest drop"):
        assert said in page


def test_nothing_that_stands_in_the_folder_is_replaced(model: Path, galaxies: Path, tmp_path: Path) -> None:
    """A user may well name the folder of the images themselves."""
    own = tmp_path / "own"
    own.mkdir()
    for name in ("g0000", "g0001"):
        shutil.copy(galaxies.parent / "images" / f"{name}.jpg", own / f"{name}.png")
    before = (own / "g0000.png").read_bytes()
    with pytest.raises(OutputError, match=r"holds something else \(g0000.png\)"):
        explain_images(model, own, own)
    assert (own / "g0000.png").read_bytes() == before
    with pytest.raises(OutputError, match="is a file; name a folder"):
        explain_images(model, own, own / "g0000.png")
    done = explain_images(model, own, tmp_path / "out", limit=1)
    kept = (done / "explanation.json").read_bytes()
    with pytest.raises(OutputError, match=r"holds an explanation.*--overwrite"):
        explain_images(model, own, done, limit=2)
    assert (done / "explanation.json").read_bytes() == kept
    assert (
        len(
            json.loads((explain_images(model, own, done, limit=2, overwrite=True) / "explanation.json").read_text())[
                "galaxies"
            ]
        )
        == 2
    )
