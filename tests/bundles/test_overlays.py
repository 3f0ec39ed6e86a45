# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.transforms import Resize

from pipeline.networks import NLCE
from pipeline.settings import network_name
from tests.bundles.conftest import ROOT, MakeWorkflow

BUNDLES = ("nlcen_jsrt", "nlcen_isbi2016")
NETWORKS = {"cdnn": "CDNN", "invertednet": "InvertedNet", "nwcn": "NWCN", "slsdeep": "SLSDeep", "unet": "UNet"}


def read(name: str, file: str) -> dict[str, Any]:
    return json.loads((ROOT / "bundles" / name / "configs" / file).read_text())


def parser(bundle: str, *files: str, **overrides: Any) -> ConfigParser:
    folder = ROOT / "bundles" / bundle
    parsed = ConfigParser()
    parsed.read_config([str(folder / file) for file in files])
    parsed.update(overrides)
    return parsed


def of_the_chest(*files: str) -> list[str]:
    return [f"bundles/nlcen_jsrt/{file}.json" for file in files]


def test_the_bundles_differ_in_what_the_data_sets_ask_for_only() -> None:
    both = {"in_channels", "backbone"}
    training = both | {"dataset_dir", "experiment_name", "train"}
    inference = both | {"imports", "pictures", "dicom_segmentation"}
    for file, different in (("train.json", training), ("inference.json", inference)):
        chest, skin = (read(bundle, file) for bundle in BUNDLES)
        assert list(chest) == list(skin)
        assert {key for key in chest if chest[key] != skin[key]} == different
    chest, skin = (read(bundle, "train.json") for bundle in BUNDLES)
    assert {key for key in chest["train"] if chest["train"][key] != skin["train"][key]} == {"random_transforms"}
    assert chest["train"]["random_transforms"] == []


@pytest.mark.parametrize("bundle", BUNDLES)
def test_a_reader_of_the_model_zoo_finds_his_way(bundle: str) -> None:
    """As long as the zoo's, and no program in the guise of a configuration."""
    config = read(bundle, "train.json")
    assert len(json.dumps(config, indent=4).splitlines()) <= 330 and len(config) <= 35
    expressions = [line.strip() for line in json.dumps(config, indent=1).splitlines() if '"$' in line]
    lengths = [len(json.loads(line[line.index('"$') :].rstrip(","))) for line in expressions]
    assert len(lengths) <= 35 and max(lengths) <= 100


@pytest.mark.parametrize("bundle", BUNDLES)
def test_trainings_of_two_seeds_do_not_share_orders(bundle: str) -> None:
    assert read(bundle, "train.json")["train"]["sampler"]["seed"] == "$first_seed(@seed)"


@pytest.mark.parametrize(
    "name",
    [
        "evaluate.json",
        "export.json",
        "inference_trt.json",
        "logging.conf",
        "multi_gpu_train.json",
        "multi_gpu_evaluate.json",
        "networks",
        "ablation",
        "recipes",
        "readings",
        "variants",
        "attacks",
    ],
)
def test_what_both_bundles_share_is_there_once(name: str) -> None:
    chest, skin = (ROOT / "bundles" / bundle / "configs" / name for bundle in BUNDLES)
    assert skin.resolve() == chest.resolve()
    for bundle in BUNDLES:
        assert (ROOT / "bundles" / bundle / name).exists()


@pytest.mark.parametrize("folder", ["ablation", "readings", "variants", "attacks"])
def test_a_variant_says_its_name(folder: str) -> None:
    for path in (ROOT / "bundles" / "nlcen_jsrt" / folder).glob("*.json"):
        config = parser("nlcen_jsrt", "train.json", f"{folder}/{path.name}", title="$bundle.run_title()")
        assert config.get_parsed_content("title") == f"NLCEN ({path.stem})"
    assert parser("nlcen_jsrt", "train.json", title="$bundle.run_title()").get_parsed_content("title") == "NLCEN"


@pytest.mark.parametrize("bundle, channels", [("nlcen_jsrt", 1), ("nlcen_isbi2016", 3)])
@pytest.mark.parametrize("base", ["train.json", "inference.json"])
@pytest.mark.parametrize("name", NETWORKS)
def test_overlays_build_their_network(bundle: str, channels: int, base: str, name: str) -> None:
    for settings, count in (({}, 0), ({"nlce": True}, 2 if name == "nwcn" else 1)):
        network = parser(bundle, base, f"networks/{name}.json", **settings).get_parsed_content("network_def")
        assert type(network).__name__ == NETWORKS[name]
        assert sum(isinstance(module, NLCE) for module in network.modules()) == count
        assert network_name(network) == NETWORKS[name] + (" + NLCE" if count else "")
    with torch.no_grad():
        assert network.eval()(torch.rand(1, channels, 32, 40)).shape == (1, 2, 32, 40)


def test_an_overlay_takes_the_ablations_of_nlce() -> None:
    config = parser("nlcen_jsrt", "train.json", "networks/unet.json", nlce=True, context=False)
    (module,) = (m for m in config.get_parsed_content("network_def").modules() if isinstance(m, NLCE))
    assert module.non_local and not module.context


def attack(reading: str, *files: str, **overrides: Any) -> Any:
    config = parser("nlcen_jsrt", "train.json", *files, "evaluate.json", f"readings/{reading}.json", **overrides)
    config["validate#adversarial#results_file"] = config["validate#adversarial#save_dir"] = None
    config["validate#adversarial#progress"] = False
    config["network"] = "@network_def"
    return config, config.get_parsed_content("validate#adversarial")


def test_readings_of_the_attack() -> None:
    readings = {path.stem for path in (ROOT / "bundles" / "nlcen_jsrt" / "readings").glob("*.json")}
    assert readings == {
        "after_normalization",
        "all_outputs",
        "batch_statistics",
        "eight_bit",
        "original_resolution",
        "probabilities",
        "transfer",
        "twelve_bit",
        "unbounded",
    }
    assert attack("twelve_bit")[1].attack.unit == 255 / 4095
    _, handler = attack("after_normalization")
    assert handler.attack.value_range is None
    config, _ = attack("unbounded")
    deviation = config.get_parsed_content("network").normalization.std
    assert handler.attack.unit == pytest.approx(deviation.item(), abs=1e-3)
    assert attack("unbounded")[1].attack.value_range is None
    assert attack("batch_statistics")[1].batch_statistics
    picture = torch.tensor([0.4, 0.6])
    assert attack("eight_bit")[1].transmission(picture).tolist() == [0.0, 1.0]


def test_reading_probabilities_is_a_softmax_too_many() -> None:
    logits, target = torch.randn(2, 2, 3, 3), torch.randint(0, 2, (2, 1, 3, 3)).float()
    expected = 0.0
    for image in range(2):
        for row in range(3):
            for column in range(3):
                first = torch.softmax(logits[image, :, row, column].double(), 0)
                second = torch.softmax(first, 0)
                expected -= second[int(target[image, 0, row, column])].log().item()
    loss = attack("probabilities")[1].attack.loss_function(logits, target)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_reading_all_outputs_lowers_the_weighted_sum_of_five_losses() -> None:
    config, handler = attack("all_outputs")
    network = config.get_parsed_content("network").eval()
    x, target = torch.rand(1, 1, 32, 32), torch.ones(1, 1, 32, 32)
    with torch.no_grad():
        loss = handler.attack.loss_function(handler.attacked.eval()(x), target)
        losses = [-logits.log_softmax(1)[:, 1].sum() for logits in network.all_logits(x)]
    assert loss.item() == pytest.approx(sum(losses).item() / 4, rel=1e-5)


@pytest.mark.parametrize("nlce", [True, False])
def test_reading_transfer_loads_the_other_network(tmp_path: Path, nlce: bool) -> None:
    config = parser("nlcen_jsrt", "train.json", nlce=nlce)
    torch.manual_seed(1)
    other = config.get_parsed_content("network_def")
    torch.save(other.state_dict(), tmp_path / "other.pt")
    settings = {"surrogate_weights": str(tmp_path / "other.pt"), "surrogate_nlce": nlce}
    config, handler = attack("transfer", "networks/unet.json", **settings)
    assert type(config.get_parsed_content("network")).__name__ == "UNet"
    state = handler.attacked.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in other.state_dict().items())
    # an interrupted evaluation does not go on with another surrogate
    assert config["tracker#weights"] == ["@network", "@loaded_surrogate"]
    assert handler.attacked is config.get_parsed_content("loaded_surrogate")


def test_readings_that_are_trained_anew() -> None:
    modules = [
        next(
            m
            for m in parser("nlcen_jsrt", "train.json", f"variants/{name}.json").get_parsed_content("network_def").nlce
        )
        for name in ("scaled_attention", "w_z_random")
    ]
    assert modules[0].scaled and not modules[1].scaled
    assert modules[0].w_z.weight.abs().max() == 0 and modules[1].w_z.weight.abs().max() > 0


@pytest.mark.parametrize(
    "name, loss, rates",
    [
        ("cdnn", "DiceLoss", [3e-3]),
        ("invertednet", "DiceLoss", [1e-5]),
        pytest.param("unet", "DeepSupervisionLoss", [1e-3], marks=pytest.mark.slow),
        # the polynomial has come to its end
        pytest.param("slsdeep", "CrossEntropyEndPointError", [0.0, 0.0], marks=pytest.mark.slow),
    ],
)
def test_recipes_of_the_networks_own_papers(
    tmp_path: Path, make_workflow: MakeWorkflow, name: str, loss: str, rates: list[float]
) -> None:
    files = of_the_chest("train", f"networks/{name}", f"recipes/{name}")
    workflow = make_workflow(*files, max_epochs=2, batch_size=3, sweep=False)
    workflow.initialize()
    before = {key: value.clone() for key, value in workflow.parser.get_parsed_content("network").state_dict().items()}
    workflow.run()
    workflow.finalize()
    assert type(workflow.parser.get_parsed_content("loss")).__name__ == loss
    optimizer = workflow.parser.get_parsed_content("optimizer")
    assert [group["lr"] for group in optimizer.param_groups] == rates
    after = torch.load(tmp_path / "model.pt", weights_only=True)
    convolutions = [key for key, value in before.items() if value.ndim == 4 and "normalization" not in key]
    assert convolutions and not any(torch.equal(after[key], before[key]) for key in convolutions)
    assert all(value.isfinite().all() for value in after.values())


def test_reading_original_resolution_attacks_the_picture_before_it_is_reduced(
    tmp_path: Path, make_workflow: MakeWorkflow
) -> None:
    torch.manual_seed(0)
    network = parser("nlcen_jsrt", "train.json").get_parsed_content("network_def")
    torch.save(network.state_dict(), tmp_path / "model.pt")
    files = of_the_chest("train", "evaluate", "readings/original_resolution")
    workflow = make_workflow(*files, epsilons=[4.0], panels=1)
    workflow.initialize()
    workflow.run()
    workflow.finalize()
    (run_dir,) = (tmp_path / "runs").glob("evaluating_*")
    assert len((run_dir / "per_image.csv").read_text().splitlines()) == 1 + 2 * 2
    (file,) = (run_dir / "adversarial").glob("*.npz")
    with np.load(file) as saved:
        assert saved["image"].shape == (1, 64, 64) and saved["delta"].shape == (1, 1, 64, 64)
        assert saved["label"].shape == (32, 32) and saved["prediction"].shape == (2, 32, 32)
        assert np.abs(saved["delta"]).max() == pytest.approx(4.0, abs=1e-3)
        image = saved["image"] + saved["delta"][0]
        expected = saved["prediction"][1]
    reduce = Resize((32, 32), mode="bilinear", anti_aliasing=True)
    with torch.no_grad():
        logits = network.eval()(reduce(torch.from_numpy(image) / 255).as_tensor().unsqueeze(0))
    assert (logits.argmax(1)[0].numpy() == expected).mean() > 0.99


@pytest.mark.parametrize(
    ("name", "gradients"),
    [("uniform_noise", 0), ("pgd", 20 * 2 * 2), pytest.param("dice_pgd", 20 * 2 * 2, marks=pytest.mark.slow)],
)
def test_other_attacks(tmp_path: Path, make_workflow: MakeWorkflow, name: str, gradients: int) -> None:
    torch.manual_seed(0)
    network = parser("nlcen_jsrt", "train.json").get_parsed_content("network_def")
    torch.save(network.state_dict(), tmp_path / "model.pt")
    workflow = make_workflow(*of_the_chest("train", "evaluate", f"attacks/{name}"), epsilons=[2.0, 8.0], panels=1)
    workflow.initialize()
    workflow.run()
    workflow.finalize()
    (file,) = (tmp_path / "runs").glob("evaluating_*/result.json")
    result = json.loads(file.read_text())
    assert result["gradients_per_image"] == gradients and result["variant"] == name
    assert result["attack"]["value_range"] == [0.0, 255.0] and result["attack"]["attack"].startswith("pipeline.attacks")
    with np.load(next(file.parent.glob("adversarial/*.npz"))) as saved:
        assert [np.abs(delta).max() for delta in saved["delta"]] == pytest.approx([2.0, 8.0], rel=0.02)
