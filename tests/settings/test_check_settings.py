# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigWorkflow, create_workflow

from pipeline.settings import merged_config
from pipeline.settings.bundle_settings import SETTINGS, optional_settings
from pipeline.settings.running_bundle import running_parser
from pipeline.utils import InputError, find_input_error

ROOT = Path(__file__).parents[2]
CONFIG: dict[str, Any] = {
    "imports": [
        "$import torch",
        "$from pipeline.settings.check_settings import check_settings",
        "$from pipeline.settings import merged_config",
    ],
    "max_epochs": 3,
    "learning_rate": 0.1,
    "batch_size": "$2 * 4",
    "image_size": [64, 64],
    "epsilons": "$[2.0, 8.0]",
    "intensity_range": [0.0, 255.0],
    "nlce": True,
    "sweep": True,
    "backbone": "resnet18",
    "seed": 0,
    "device": "$torch.device('cpu')",
    "experiment_name": "phantoms",
    "own": 5,
    "train": {
        "loader": {"_target_": "DataLoader", "dataset": [1, 2], "batch_size": "@batch_size", "num_workers": 0},
        "handlers": [{"_target_": "StatsHandler", "iteration_log": False, "name": "x"}],
        "flips": {"_target_": "RandFlipd", "keys": "image", "prob": 0.5},
        "copy": "%train#flips",
    },
    "all": {
        "_target_": "builtins.dict",
        "epochs": "@max_epochs",
        "rest": "$[@learning_rate, @epsilons, @intensity_range, @nlce, @sweep, @backbone, @seed, @own]",
        "parts": "$[@experiment_name, @train#loader, @train#handlers, @train#copy, @train#flips, @image_size, @device]",
    },
    "initialize": ["$check_settings()"],
    "training": ["$merged_config() | {'batches': @train#loader.batch_size, 'on': @device}", "$@all"],
    "run": "%training",
}


pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file")


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "train.json").write_text(json.dumps(CONFIG))
    (tmp_path / "overlay.json").write_text(json.dumps({"backbone": None}))
    return [str(tmp_path / "train.json"), str(tmp_path / "overlay.json")]


def merged(files: list[str], **overrides: Any) -> dict[str, Any]:
    """The configuration that runs, as ``python -m monai.bundle run training`` makes it."""
    workflow = create_workflow(
        config_file=files, run_id="training", meta_file=None, logging_file=False, workflow_type="train", **overrides
    )
    return dict(workflow.run()[0])


def refusal(files: list[str], **overrides: Any) -> str:
    with pytest.raises(RuntimeError) as error:
        merged(files, **overrides)
    cause = find_input_error(error.value)
    assert cause is not None
    return str(cause)


@pytest.mark.parametrize("word", ["false", "False", "FALSE", " false", False, 0, "0"])
@pytest.mark.parametrize("key", ["nlce", "sweep"])
def test_false_in_every_spelling_is_false(files: list[str], key: str, word: Any) -> None:
    assert merged(files, **{key: word})[key] is False


@pytest.mark.parametrize("word", ["true", "TRUE", True, 1, "1"])
def test_true_in_every_spelling_is_true(files: list[str], word: Any) -> None:
    assert merged(files, nlce=word)["nlce"] is True


@pytest.mark.parametrize(
    "key, value, read",
    [
        ("learning_rate", 1, 1.0),
        ("epsilons", (1, 2.5), [1.0, 2.5]),
        ("intensity_range", None, None),
        ("intensity_range", "null", None),
        ("intensity_range", "None", None),
        ("max_epochs", "$2 + 2", "$2 + 2"),
        ("image_size", (32, 96), [32, 96]),
        ("backbone", "resnet50", "resnet50"),
        ("device", "cpu", "$torch.device('cpu')"),
        ("experiment_name", "true", "true"),
        ("own", 7, 7),
    ],
)
def test_values_come_in_the_type_of_their_setting(files: list[str], key: str, value: Any, read: Any) -> None:
    there = merged(files, **{key: value})[key]
    assert there == read and type(there) is type(read)


@pytest.mark.parametrize(
    "key, value, needed",
    [
        ("nlce", "no", "true or false"),
        ("nlce", "off", "true or false"),
        ("nlce", 2, "true or false"),
        ("nlce", 1.0, "true or false"),
        ("nlce", None, "true or false"),
        ("nlce", [True], "true or false"),
        ("nlce", "", "true or false"),
        ("max_epochs", 1.5, "a whole number of at least 1"),
        ("max_epochs", "two", "a whole number of at least 1"),
        ("max_epochs", 0, "a whole number of at least 1"),
        ("max_epochs", True, "a whole number of at least 1"),
        ("max_epochs", None, "a whole number of at least 1"),
        ("batch_size", 0, "a whole number of at least 1"),
        ("seed", "abc", "a whole number from 0 to 4294967295"),
        ("seed", -1, "a whole number from 0 to 4294967295"),
        ("seed", 2**32, "a whole number from 0 to 4294967295"),
        ("learning_rate", -1, "a number above 0"),
        ("learning_rate", 0, "a number above 0"),
        ("learning_rate", "1e-3x", "a number above 0"),
        ("learning_rate", float("nan"), "a number above 0"),
        ("learning_rate", float("inf"), "a number above 0"),
        ("learning_rate", True, "a number above 0"),
        ("backbone", "resnet34", "resnet18 or resnet50, or null"),
        ("image_size", 96, "a list of 2 entries such as [256,256], each entry a whole number of at least 32"),
        ("image_size", [96], "a list of 2 entries such as [256,256], each entry a whole number of at least 32"),
        ("image_size", [96, 8], "a list of 2 entries such as [256,256], each entry a whole number of at least 32"),
        ("epsilons", 8, "a list, not empty, such as [2.0,8.0], each entry a number above 0"),
        ("epsilons", [], "a list, not empty, such as [2.0,8.0], each entry a number above 0"),
        ("epsilons", [0, 8], "a list, not empty, such as [2.0,8.0], each entry a number above 0"),
        ("device", "gpu", "a device that this machine has, such as cpu or cuda:0"),
        ("device", "cuda:77", "a device that this machine has, such as cpu or cuda:0"),
        ("own", "x", "a whole number"),
        ("own", 5.5, "a whole number"),
        ("train#loader#num_workers", "two", "a whole number"),
        ("train#loader#batch_size", 1.5, "a whole number of at least 1"),
        ("train::loader::batch_size", 0, "a whole number of at least 1"),
        ("train#flips#prob", "often", "a number"),
        ("train#handlers#0#iteration_log", "no", "true or false"),
        ("train#loader#drop_last", "no", "true or false"),
        ("train#loader#pin_memory", "off", "true or false"),
        ("device", "meta", "a device that this machine has, such as cpu or cuda:0"),
        ("train#handlers", 3, "a list, each entry a section, {...}"),
        ("train#loader", 3, "a section, {...}"),
        ("train#flips#keys", 3, "text, got 3. Quote it twice: --train#flips#keys \"'3'\""),
    ],
)
def test_a_value_of_another_kind_is_refused(files: list[str], key: str, value: Any, needed: str) -> None:
    assert refusal(files, **{key: value}).startswith(f"--{key} must be {needed}")
    if "got" not in needed:
        assert refusal(files, **{key: value}) == f"--{key} must be {needed}, got {value!r}."


def test_a_name_that_the_command_line_has_made_a_number_is_refused(files: list[str]) -> None:
    assert refusal(files, experiment_name=2024.1) == (
        "--experiment_name must be text, got 2024.1. Quote it twice: --experiment_name \"'2024.1'\"."
    )


def test_an_expression_is_judged_by_its_value(files: list[str]) -> None:
    assert refusal(files, batch_size="$5 / 2") == "--batch_size must be a whole number of at least 1, got 2.5."
    assert refusal(files, nlce="$'false'") == "--nlce must be true or false, got the text 'false' from $'false'."
    assert refusal(files, seed="$nothing").startswith("--seed: $nothing cannot be evaluated (name 'nothing' is not")


@pytest.mark.parametrize("word", ["false", "False", False])
def test_a_nested_switch_and_its_copies_are_false(files: list[str], word: Any) -> None:
    config = merged(files, **{"train#handlers#0#iteration_log": word, "train#flips#allow_missing_keys": word})
    assert config["train"]["handlers"][0]["iteration_log"] is False
    assert config["train"]["flips"]["allow_missing_keys"] is config["train"]["copy"]["allow_missing_keys"] is False


def test_a_changed_setting_reaches_what_refers_to_it(files: list[str]) -> None:
    config = merged(files, batch_size=2, device="cpu")
    assert config["batches"] == 2
    assert config["on"] == torch.device("cpu")


@pytest.mark.parametrize(
    "key, message",
    [
        ("max_epoch", "--max_epoch: the configuration has no such setting; did you mean 'max_epochs'?"),
        ("zzz", "--zzz: the configuration has no such setting."),
        ("train#handler", "--train#handler: 'train' has no such key; did you mean 'handlers'?"),
        ("train#batchsize", "--train#batchsize: 'train' has no such key."),
        (
            "train#loader#batchsize",
            "--train#loader#batchsize: DataLoader has no such argument; did you mean 'batch_size'?",
        ),
        (
            "train#handlers#0#epoch_logg",
            "--train#handlers#0#epoch_logg: StatsHandler has no such argument; did you mean 'epoch_log'?",
        ),
    ],
)
def test_a_key_that_does_not_exist_is_refused_with_the_nearest(files: list[str], key: str, message: str) -> None:
    assert refusal(files, **{key: 3}) == message


@pytest.mark.parametrize(
    ("target", "hint"), [("monai.data.DataLoade", "; did you mean 'DataLoader'?"), ("nowhere.Loader", ".")]
)
def test_a_class_that_does_not_exist_is_refused(files: list[str], target: str, hint: str) -> None:
    key = "train#loader#_target_"
    assert refusal(files, **{key: target}) == f"--{key}: there is no {target}{hint}"


def test_a_class_that_an_expression_gives_is_left_to_it(files: list[str]) -> None:
    config = merged(files, **{"train#loader#_target_": "$torch.utils.data.DataLoader"})
    assert config["batches"] == 8


def test_an_argument_that_only_the_class_behind_takes_is_none_too_many(files: list[str]) -> None:
    """MONAI's DataLoader passes what it does not know on to PyTorch's."""
    assert merged(files, **{"train#loader#drop_last": True})["train"]["loader"]["drop_last"] is True


def test_a_setting_that_is_taken_out_may_stand_there_but_not_be_set(files: list[str]) -> None:
    Path(files[1]).write_text(json.dumps({"surrogate_weights": None}))
    assert merged(files)["surrogate_weights"] is None
    said = refusal(files, surrogate_weights="a.pt")
    assert said.startswith("--surrogate_weights: the configuration has no such setting")


def test_a_setting_that_nothing_uses_may_stand_there_but_not_be_set(files: list[str]) -> None:
    """A network of the user's own does not take them, whatever the bundle's file says."""
    Path(files[1]).write_text(json.dumps({"in_channels": 1, "context": True}))
    assert merged(files)["context"] is True
    assert refusal(files, context=False) == "--context: the configuration has no such setting."


def test_null_for_an_argument_is_left_to_its_component(files: list[str]) -> None:
    assert merged(files, **{"train#handlers#0#name": None})["train"]["handlers"][0]["name"] is None


def test_null_for_a_setting_that_does_not_exist_is_refused_too(files: list[str]) -> None:
    """MONAI drops an override with None, and would train with the default."""
    assert refusal(files, max_epoch=None).startswith("--max_epoch: the configuration has no such setting; did you mean")


def test_a_run_id_that_does_not_exist_is_refused_with_those_that_do(files: list[str]) -> None:
    workflow = ConfigWorkflow(files, meta_file=None, logging_file=False, run_id="trainig")
    with pytest.raises(RuntimeError) as error:
        workflow.initialize()
    assert str(find_input_error(error.value)) == (
        "The bundle has no run id 'trainig'; did you mean 'training'? It has training, run."
    )


def test_values_from_python_and_from_a_file_are_checked_too(files: list[str]) -> None:
    Path(files[1]).write_text(json.dumps({"nlce": "False", "max_epochs": 2.5}))
    workflow = ConfigWorkflow(files, meta_file=None, logging_file=False, run_id="training", max_epochs=2)
    workflow.initialize()
    assert workflow.run()[0]["nlce"] is False
    assert refusal(files) == "--max_epochs must be a whole number of at least 1, got 2.5."


def test_help_lists_run_ids_and_settings_and_ends(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        merged(files, help=True, max_epochs=4)
    assert exit_.value.code is None
    printed = capsys.readouterr().out
    assert "run ids: training, run" in printed
    rows = {line.split()[0]: line.split()[1] for line in printed.splitlines() if line.startswith("  --")}
    shown = {*SETTINGS.keys() & CONFIG.keys(), *optional_settings(CONFIG)}
    assert rows.keys() == {"--" + key for key in shown}
    assert (rows["--max_epochs"], rows["--nlce"], rows["--experiment_name"]) == ("4", "true", "phantoms")


def test_every_plain_setting_of_the_bundles_is_described_and_its_value_of_its_kind() -> None:
    for file in (ROOT / "bundles").glob("*/configs/**/*.json"):
        if file.name == "metadata.json":
            continue
        for key, value in json.loads(file.read_text()).items():
            computed = isinstance(value, str) and value.startswith(("$", "@", "%"))
            if key in SETTINGS and not computed and value is not None:
                assert SETTINGS[key].kind.read(value) == value, (file, key)
            elif not computed and not isinstance(value, (dict, list)) and "#" not in key and key != "training":
                assert value is None or key in SETTINGS, (file, key)


def test_outside_a_bundle_they_say_so() -> None:
    for call in (merged_config, lambda: running_parser("merged_config")):
        with pytest.raises(InputError, match=re.escape("merged_config() was called outside a MONAI bundle")):
            call()


TRAIN = {
    "imports": ["$from pipeline.settings import merged_config"],
    "lr": 0.1,
    "epochs": 2,
    "double": "$2 * @lr",
    "section": {"items": [1, 2], "same": "%lr"},
    "holder": {"_target_": "builtins.dict", "config": "$merged_config()", "double": "@double"},
    "run": ["$@holder"],
}


def run_bundle(tmp_path: Path, **override: object) -> dict[str, object]:
    (tmp_path / "train.json").write_text(json.dumps(TRAIN))
    (tmp_path / "evaluate.json").write_text(json.dumps({"epochs": 3, "+section": {"more": True}}))
    workflow = ConfigWorkflow(
        config_file=[str(tmp_path / "train.json"), str(tmp_path / "evaluate.json")],
        meta_file=None,
        logging_file=False,
        workflow_type="train",
        **override,
    )
    workflow.initialize()
    (result,) = workflow.run()
    return dict(result["config"])


def test_a_bundle_sees_its_files_and_overrides_merged_and_nothing_evaluated(tmp_path: Path) -> None:
    config = run_bundle(tmp_path, lr=0.5, section__unused=None, **{"section::items::0": 7})
    assert config["lr"] == 0.5
    assert config["epochs"] == 3
    assert config["double"] == "$2 * @lr"
    assert config["section"] == {"items": [7, 2], "same": 0.5, "more": True}
    assert config["holder"] == TRAIN["holder"]
    assert "_meta_" not in config


def test_it_is_a_copy(tmp_path: Path) -> None:
    first = run_bundle(tmp_path)
    first["section"]["items"].append(3)  # type: ignore[index]
    assert run_bundle(tmp_path)["section"] == {"items": [1, 2], "same": 0.1, "more": True}
