# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from experiments import plan
from experiments.bundle_command import bundle_command
from experiments.cells import Cell, make_cells
from experiments.matrix import ROOT, read_matrix
from experiments.plan import make_plan
from pipeline.utils import InputError

from .conftest import CELLS, Project, write_data

WORST_CASE = {"data": ["lungs"], "networks": ["nlcen"], "readings": ["worst_case"]}


def test_cells_of_a_matrix_in_the_order_in_which_they_can_run(project: Project) -> None:
    cells = make_cells(read_matrix(project.matrix))
    assert [cell.name for cell in cells] == CELLS
    bundle = project.folder / "bundle"
    trained, without, frozen, tuned, twelve_bit, transfer = cells
    assert trained.labels == {
        "data": "lungs",
        "network": "nlcen",
        "nlce": True,
        "stage": "",
        "variant": "",
        "reading": "",
        "seed": 0,
    }
    assert trained.config_files == (f"{bundle}/train.json",)
    assert trained.settings == {"max_epochs": 3, "nlce": True, "seed": 0}
    assert without.settings == {"max_epochs": 3, "nlce": False, "seed": 0}
    assert frozen.settings == {"max_epochs": 3, "non_local": False, "nlce": True, "seed": 0}
    assert frozen.config_files == (f"{bundle}/train.json", f"{bundle}/ablation/frozen.json")
    assert frozen.needs == {"initial_weights": without.name}
    assert (frozen.labels["stage"], frozen.labels["variant"], frozen.labels["reading"]) == ("frozen", "", "")
    assert tuned.needs == {"initial_weights": frozen.name}
    assert twelve_bit.needs == {"ckpt_path": trained.name}
    assert twelve_bit.run_id == "evaluating"
    assert twelve_bit.config_files[1:] == (f"{bundle}/evaluate.json", f"{bundle}/readings/twelve_bit.json")
    assert (twelve_bit.labels["variant"], twelve_bit.labels["reading"]) == ("", "twelve_bit")
    assert transfer.needs == {"ckpt_path": trained.name, "surrogate_weights": without.name}
    assert transfer.settings == {"max_epochs": 3, "nlce": True, "seed": 0, "surrogate_nlce": False}
    project.change(settings={"backbone": "resnet50"})
    *_, transfer = make_cells(read_matrix(project.matrix))
    assert transfer.settings["surrogate_backbone"] == "resnet50"


def test_a_network_is_one_word_more_and_a_reading_may_be_a_training(project: Project) -> None:
    claim = {"data": ["lungs"], "networks": ["unet"], "readings": ["twelve_bit"], "trained": ["scaled_attention"]}
    project.change(networks=["nlcen", "unet", "cdnn"], seeds=[3, 1], ablation=None, claim=claim)
    cells = make_cells(read_matrix(project.matrix))
    names = [cell.name for cell in cells]
    assert len(set(names)) == len(names) == 2 * (6 + 2)
    assert names[8:] == [name.replace("seed3", "seed1") for name in names[:8]]
    assert names[4:8] == [
        "lungs-cdnn_nlce-seed3",
        "lungs-cdnn-seed3",
        "lungs-claim-twelve_bit-unet-seed3",
        "lungs-claim-scaled_attention-nlcen_nlce-seed3",
    ]
    bundle = project.folder / "bundle"
    assert cells[5].config_files == (f"{bundle}/train.json", f"{bundle}/networks/cdnn.json")
    assert cells[6].labels == {
        "data": "lungs",
        "network": "unet",
        "nlce": False,
        "stage": "",
        "variant": "",
        "reading": "twelve_bit",
        "seed": 3,
    }
    assert [Path(file).stem for file in cells[6].config_files] == ["train", "unet", "evaluate", "twelve_bit"]
    assert cells[7].run_id == "training" and cells[7].labels["variant"] == "scaled_attention" and not cells[7].needs


def test_networks_that_are_trained_to_resist_and_the_worst_case_of_each(project: Project) -> None:
    claim = {"data": ["lungs"], "networks": ["nlcen_nlce", "unet"], "readings": ["worst_case"], "defences": ["mixed"]}
    project.change(networks=["nlcen", "unet"], ablation=None, claim=claim, settings={"epsilons": [2.0]})
    cells = {cell.name.removeprefix("lungs-"): cell for cell in make_cells(read_matrix(project.matrix))}
    assert list(cells)[4:] == [
        "claim-worst_case-nlcen_nlce-seed0",
        "claim-defence_mixed-nlcen_nlce-seed0",
        "claim-worst_case-defence_mixed-nlcen_nlce-seed0",
        "claim-worst_case-unet-seed0",
        "claim-defence_mixed-unet-seed0",
        "claim-worst_case-defence_mixed-unet-seed0",
    ]
    trained, attacked = cells["claim-defence_mixed-unet-seed0"], cells["claim-worst_case-defence_mixed-unet-seed0"]
    assert (trained.run_id, attacked.run_id) == ("training", "robustness")
    assert [Path(file).stem for file in trained.config_files] == ["train", "unet", "mixed"]
    assert [Path(file).stem for file in attacked.config_files] == ["train", "unet", "mixed", "evaluate", "robustness"]
    assert attacked.needs == {"ckpt_path": trained.name} and attacked.settings["budget"] == "quick"
    assert "budget" not in trained.settings
    assert {cell.labels["variant"] for cell in (trained, attacked)} == {"defence_mixed"}
    assert (trained.labels["reading"], attacked.labels["reading"]) == ("", "worst_case")
    project.change(claim={**claim, "budget": "standard", "only": {"worst_case": ["unet"]}})
    cells = {cell.name.removeprefix("lungs-"): cell for cell in make_cells(read_matrix(project.matrix))}
    assert cells["claim-worst_case-unet-seed0"].settings["budget"] == "standard"
    assert "claim-worst_case-nlcen_nlce-seed0" not in cells and "claim-defence_mixed-nlcen_nlce-seed0" in cells


@pytest.mark.parametrize("settings", [{}, {"epsilons": [2.0, 4.0, 8.0]}], ids=["the paper's", "others"])
def test_the_battery_at_fewer_epsilons_than_the_papers_attack(project: Project, settings: dict[str, Any]) -> None:
    project.change(networks=["nlcen"], ablation=None, claim={**WORST_CASE, "epsilons": [2.0, 8.0]}, settings=settings)
    cells = {cell.name.removeprefix("lungs-"): cell for cell in make_cells(read_matrix(project.matrix))}
    assert cells["claim-worst_case-nlcen-seed0"].settings["epsilons"] == [2.0, 8.0]
    assert cells["nlcen-seed0"].settings.get("epsilons") == settings.get("epsilons")
    project.change(claim={**WORST_CASE, "epsilons": [7.5, 8.0]})
    with pytest.raises(InputError, match="claim: epsilons: the paper's attack has no 7.5, so that the two could not"):
        read_matrix(project.matrix)


def test_the_battery_alone_ends_where_grey_levels_do(project: Project) -> None:
    project.change(ablation=None, claim={**WORST_CASE, "epsilons": [2.0]}, settings={"epsilons": [2.0, 300.0]})
    cells = {cell.name: cell for cell in make_cells(read_matrix(project.matrix))}
    assert cells["lungs-nlcen-seed0"].settings["epsilons"] == [2.0, 300.0]


def test_the_worst_case_of_stages_of_the_ablation(project: Project) -> None:
    claim = {"data": ["lungs"], "networks": ["nlcen_nlce"], "readings": ["worst_case"], "stages": ["scratch"]}
    stages = {"scratch": {"settings": {"non_local": False}}, "other": {"settings": {"context": False}}}
    ablation = {"data": ["lungs"], "stages": stages}
    project.change(networks=["nlcen"], ablation=ablation, claim=claim, settings={"epsilons": [2.0]})
    cells = {cell.name.removeprefix("lungs-"): cell for cell in make_cells(read_matrix(project.matrix))}
    attacked = cells["claim-worst_case-ablation-scratch-seed0"]
    assert "claim-worst_case-ablation-other-seed0" not in cells
    assert attacked.run_id == "robustness" and attacked.needs == {"ckpt_path": "lungs-ablation-scratch-seed0"}
    assert attacked.settings == {"epsilons": [2.0], "non_local": False, "budget": "quick", "nlce": True, "seed": 0}
    assert (attacked.labels["stage"], attacked.labels["reading"]) == ("scratch", "worst_case")
    assert [Path(file).stem for file in attacked.config_files] == ["train", "evaluate", "robustness"]


def test_two_cells_of_one_name_are_refused(project: Project) -> None:
    claim = {"data": ["lungs"], "networks": ["nlcen_nlce"], "readings": ["twelve_bit"]}
    (project.folder / "bundle/variants/defence_mixed.json").write_text("{}")
    project.change(claim={**claim, "trained": ["defence_mixed"], "defences": ["mixed"]}, ablation=None)
    with pytest.raises(InputError, match="two cells are named 'lungs-claim-defence_mixed-nlcen_nlce-seed0'"):
        make_cells(read_matrix(project.matrix))


def test_a_reading_for_some_networks_only(project: Project) -> None:
    claim = {"data": ["lungs"], "networks": ["nlcen_nlce", "nlcen"], "readings": ["twelve_bit"]}
    project.change(claim={**claim, "only": {"twelve_bit": ["nlcen"]}}, ablation=None)
    names = [cell.name for cell in make_cells(read_matrix(project.matrix))]
    assert names[2:] == ["lungs-claim-twelve_bit-nlcen-seed0"]


@pytest.mark.parametrize("name", ["full_size", "networks_128", "paper", "phantoms", "resist_128", "robust", "small"])
def test_the_matrices_of_the_repository(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = read_matrix(ROOT / "experiments" / f"{name}.json")
    cells = make_cells(matrix)
    place = {cell.name: index for index, cell in enumerate(cells)}
    assert len(place) == len(cells)
    assert all(place[need] < place[cell.name] for cell in cells for need in cell.needs.values())
    # each cell of its own: no two with the same configuration
    monkeypatch.setattr(plan, "_read_data", lambda folder: ("", ""))
    planned = make_plan(matrix, tmp_path).cells.values()
    assert len({cell.fingerprint for cell in planned}) == len(cells)


def test_folders_of_data_sets_can_be_given(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.folder)
    assert read_matrix(project.matrix, {"lungs": "mine"}).data["lungs"].dataset_dir == str(project.folder / "mine")
    with pytest.raises(InputError) as error:
        read_matrix(project.matrix, {"lung": "mine"})
    assert str(error.value) == f"--data lung=mine: {project.matrix} has no data set 'lung'; it has lungs."


def test_a_stage_of_the_ablation_can_be_trained_from_scratch(project: Project) -> None:
    project.change(ablation={"data": ["lungs"], "stages": {"scratch_without_nl": {"settings": {"non_local": False}}}})
    cells = {cell.name: cell for cell in make_cells(read_matrix(project.matrix))}
    cell, plain = cells["lungs-ablation-scratch_without_nl-seed0"], cells[CELLS[0]]
    assert cell.needs == {} and cell.config_files == plain.config_files
    assert cell.settings == {**plain.settings, "non_local": False}
    assert cell.labels == {**plain.labels, "stage": "scratch_without_nl"}


FORM = "See experiments/matrix_schema.json for the form."
STAGE = {"from": "without_nlce", "overlay": "frozen"}
CLAIM = {"data": ["lungs"], "networks": ["nlcen"], "readings": ["twelve_bit"]}
RISE = "epsilons: the intensities must rise and not repeat, got"
LARGEST = "claim: worst_case: epsilons: a grey level can change by 255 at most, got"


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"sedes": [0]}, f"Additional properties are not allowed ('sedes' was unexpected). {FORM}"),
        ({"seeds": None}, f"'seeds' is a required property. {FORM}"),
        ({"seeds": []}, f"seeds: [] should be non-empty. {FORM}"),
        ({"seeds": [0, "1"]}, f"seeds: 1: '1' is not of type 'integer'. {FORM}"),
        ({"seeds": [True]}, f"seeds: 0: True is not of type 'integer'. {FORM}"),
        ({"seeds": [-1]}, f"seeds: 0: -1 is less than the minimum of 0. {FORM}"),
        ({"seeds": [1, 1]}, f"seeds: [1, 1] has non-unique elements. {FORM}"),
        ({"networks": []}, f"networks: [] should be non-empty. {FORM}"),
        (
            {"networks": ["../unet"]},
            f"networks: 0: '../unet' does not match '^([A-Za-z0-9_]+|(.*/)?[A-Za-z0-9_]+\\\\.json)$'. {FORM}",
        ),
        (
            {"networks": ["unet", "mine/unet.json"]},
            "networks: two have the same name; a network's name is that of its file.",
        ),
        ({"comparison": {"data": ["lungs"], "nlce": []}}, f"comparison: nlce: [] should be non-empty. {FORM}"),
        (
            {"networks": ["unet_nlce"], "ablation": None, "claim": None},
            "networks: 'unet_nlce': name the network without '_nlce'; 'comparison: nlce' says whether it gets NLCE.",
        ),
        ({"settings": {"seed": 1}}, "settings: 'seed' is set for each cell; remove it."),
        (
            {"comparison": {"data": ["skin"], "nlce": [True]}},
            "comparison: data: there is no 'skin'; there are: lungs.",
        ),
        (
            {"ablation": {"data": ["lungs"], "stages": {"frozen": {**STAGE, "from": "tuned"}}}},
            "ablation: stages: frozen: from: there is no 'tuned'; there are: without_nlce.",
        ),
        (
            {"ablation": {"data": ["lungs"], "stages": {"frozen": {"from": "without_nlce"}}}},
            f"ablation: stages: frozen: 'overlay' is a dependency of 'from'. {FORM}",
        ),
        (
            {"networks": ["unet"], "claim": None},
            "ablation starts from the comparison's networks: there is no 'nlcen'; there are: unet_nlce, unet.",
        ),
        (
            {"claim": {**CLAIM, "networks": ["unet"]}},
            "claim: networks: there is no 'unet'; there are: nlcen_nlce, nlcen.",
        ),
        (
            {"claim": {**CLAIM, "transfer": {"nlcen": "unet"}}},
            "claim: transfer: there is no 'unet'; there are: nlcen_nlce, nlcen.",
        ),
        (
            {"claim": {**CLAIM, "only": {"eight_bit": ["nlcen"]}}},
            "claim: only: there is no 'eight_bit'; there are: twelve_bit.",
        ),
        (
            {"claim": {**CLAIM, "only": {"twelve_bit": ["unet"]}}},
            "claim: only: twelve_bit: there is no 'unet'; there are: nlcen.",
        ),
        (
            {"claim": {**CLAIM, "transfer": {}, "networks": ["nlcen"]}},
            "claim: transfer: say on which network the attack samples for 'nlcen' are made.",
        ),
        (
            {"claim": {**CLAIM, "trained": ["twelve_bit"]}},
            "claim: 'twelve_bit' can stand in one of readings, transfer and trained only.",
        ),
        ({"settings": {"budget": "quick"}}, "settings: 'budget' is set for each cell; remove it."),
        (
            {"claim": {**CLAIM, "budget": "huge"}},
            f"claim: budget: 'huge' is not one of ['quick', 'standard', 'full']. {FORM}",
        ),
        (
            {"claim": {**CLAIM, "budget": "quick"}},
            "claim: budget: only for the reading 'worst_case'; add it to the readings, or remove this.",
        ),
        (
            {"claim": {**CLAIM, "epsilons": [2.0]}},
            "claim: epsilons: only for the reading 'worst_case'; add it to the readings, or remove this.",
        ),
        (
            {"claim": {**CLAIM, "stages": ["frozen"]}, "ablation": None},
            "claim: stages: they are the ablation's, and there is none; add 'ablation', or remove this.",
        ),
        (
            {"claim": {**CLAIM, "stages": ["frozen"]}},
            "claim: stages: only 'worst_case' has them; add it to the readings, or remove this.",
        ),
        (
            {"claim": WORST_CASE},
            "claim: the reading 'worst_case' needs 'epsilons', such as [2.0, 8.0, 32.0], here or in the settings: the "
            "battery and the paper's attack have others by default.",
        ),
        ({"settings": {"epsilons": [8.0, 2.0]}}, f"settings: {RISE} [8.0, 2.0]."),
        ({"settings": {"epsilons": [2.0, 2.0]}}, f"settings: {RISE} [2.0, 2.0]."),
        (
            {"settings": {"epsilons": [0.0, 2.0]}},
            "settings: epsilons: every intensity must be above 0 grey levels, got [0.0, 2.0].",
        ),
        ({"settings": {"epsilons": []}}, f"settings: epsilons: [] should be non-empty. {FORM}"),
        ({"settings": {"epsilons": ["2"]}}, f"settings: epsilons: 0: '2' is not of type 'number'. {FORM}"),
        (
            {"data": {"lungs": {"bundle": "b", "dataset_dir": "d", "settings": {"epsilons": [8.0, 2.0]}}}},
            f"data: lungs: settings: {RISE} [8.0, 2.0].",
        ),
        (
            {"ablation": {"data": ["lungs"], "stages": {"frozen": {**STAGE, "settings": {"epsilons": [2.0]}}}}},
            "ablation: stages: frozen: settings: 'epsilons' must be those of the cells that it is compared with; set "
            "it in the matrix's settings instead.",
        ),
        ({"claim": {**WORST_CASE, "epsilons": [8.0, 2.0]}}, f"claim: worst_case: {RISE} [8.0, 2.0]."),
        ({"claim": {**WORST_CASE, "epsilons": [2.0, 300.0]}}, f"{LARGEST} [2.0, 300.0]."),
        ({"claim": WORST_CASE, "settings": {"epsilons": [2.0, 300.0]}}, f"{LARGEST} [2.0, 300.0]."),
    ],
)
def test_what_is_wrong_in_a_matrix(project: Project, parts: dict[str, Any], message: str) -> None:
    project.change(**parts)
    with pytest.raises(InputError) as error:
        read_matrix(project.matrix)
    assert str(error.value) == f"{project.matrix}: {message}"


def test_a_matrix_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    with pytest.raises(InputError) as error:
        read_matrix(file)
    assert str(error.value) == f"There is no matrix {file}; name one such as experiments/paper.json."
    file.write_text('{"data": {"lungs": {"bundle": "a"}, "lungs": {"bundle": "b"}}}')
    with pytest.raises(InputError, match="cannot be read as JSON \\(one object has two values of 'lungs'\\)"):
        read_matrix(file)
    file.write_text('{"data": ')
    with pytest.raises(InputError) as error:
        read_matrix(file)
    assert str(error.value) == (
        f"The matrix {file} cannot be read as JSON (Expecting value: line 1 column 10 (char 9))."
    )


@pytest.mark.parametrize(
    ("parts", "file", "there"),
    [
        ({"networks": ["nlcen", "unett"]}, "networks/unett", "cdnn, unet"),
        ({"claim": {**CLAIM, "readings": ["ten_bit"]}}, "readings/ten_bit", "transfer, twelve_bit"),
        (
            {"ablation": {"data": ["lungs"], "stages": {"a": {**STAGE, "overlay": "b"}}}},
            "ablation/b",
            "fine_tuned, frozen",
        ),
    ],
)
def test_an_overlay_that_does_not_exist(project: Project, parts: dict[str, Any], file: str, there: str) -> None:
    project.change(**parts)
    with pytest.raises(InputError) as error:
        make_cells(read_matrix(project.matrix))
    assert str(error.value) == (
        f"{project.matrix}: '{Path(file).stem}' needs the file {project.folder}/bundle/{file}.json, which does not "
        f"exist; in its folder there are: {there}."
    )


def _fingerprints(project: Project) -> dict[str, str]:
    return {name: cell.fingerprint for name, cell in project.plan().cells.items()}


def test_fingerprints_see_what_changes_a_result_and_nothing_else(project: Project) -> None:
    before = _fingerprints(project)
    assert len(set(before.values())) == len(CELLS)

    train = project.folder / "bundle" / "train.json"
    config = json.loads(train.read_text())
    elsewhere = {"dataset_dir": "x", "output_dir": "x", "ckpt_dir": "x", "tracking_uri": "x"}
    train.write_text(json.dumps(elsewhere | config | {"tracker": {"tags": "x"}, "progress": False}))
    assert _fingerprints(project) == before

    frozen = project.folder / "bundle" / "ablation" / "frozen.json"
    frozen.write_text(json.dumps({"learning_rate": 0.5}))
    changed = {name for name, print_ in _fingerprints(project).items() if print_ != before[name]}
    # the fine-tuned cell starts from the frozen one's weights
    assert changed == {"lungs-ablation-frozen-seed0", "lungs-ablation-fine_tuned-seed0"}

    frozen.write_text("{}")
    project.change(settings={"max_epochs": 4})
    assert not set(_fingerprints(project).values()) & set(before.values())


def test_data_and_the_weights_of_a_backbone_are_part_of_the_fingerprint(project: Project) -> None:
    before = _fingerprints(project)
    write_data(project.folder / "data", b"others")
    after = _fingerprints(project)
    assert not set(after.values()) & set(before.values())
    file = project.folder / "resnet.pt"
    project.change(settings={"max_epochs": 3, "backbone_weights": str(file)})
    with pytest.raises(AssertionError):
        project.plan()
    prints = []
    for content in ("a", "b"):
        file.write_text(content)
        prints.append(_fingerprints(project)[CELLS[0]])
    assert prints[0] != prints[1]


def test_a_broken_configuration_file_is_named(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    file = project.folder / "bundle" / "train.json"
    file.write_text("{")
    with pytest.raises(AssertionError):
        project.plan()
    assert capsys.readouterr().err.startswith(f"error: The configuration of {file} cannot be read (")


def test_a_network_may_be_an_overlay_of_ones_own(project: Project) -> None:
    overlay = project.folder / "elsewhere" / "mynet.json"
    overlay.parent.mkdir()
    overlay.write_text("{}")
    project.change(networks=["nlcen", str(overlay)])
    cells = {cell.name: cell for cell in make_cells(read_matrix(project.matrix))}
    cell = cells["lungs-mynet_nlce-seed0"]
    assert cell.config_files == (f"{project.folder}/bundle/train.json", str(overlay))
    assert cell.labels["network"] == "mynet"


def test_a_command_line_that_fire_reads_back(tmp_path: Path) -> None:
    from fire.parser import DefaultParseValue

    settings = {
        "seed": 3,
        "nlce": False,
        "backbone_weights": None,
        "betas": [0.9, 0.999],
        "text": "12",
        "name": "resnet18",
        "data": ROOT / "data" / "my set",
        "out": tmp_path,
        "#": "$@a + 1",
    }
    cell = Cell("a", {}, "evaluating", ("a/train.json", "b/evaluate.json"), settings)
    command = bundle_command(cell, {"run_name": "0123"})
    assert command[:5] == ["monai.bundle", "run", "evaluating", "--config_file", "['a/train.json', 'b/evaluate.json']"]
    given = dict(zip(command[5::2], map(DefaultParseValue, command[6::2]), strict=True))
    assert given == {f"--{key}": value for key, value in settings.items()} | {
        "--data": "data/my set",
        "--out": str(tmp_path),
        "--run_name": "0123",
    }
    plain = bundle_command(Cell("a", {}, "training", ("a/train.json",), {}), {})
    assert plain == ["monai.bundle", "run", "training", "--config_file", "a/train.json"]


def test_several_processes_share_a_cell() -> None:
    cell = Cell("a", {}, "evaluating", ("bundles/nlcen_jsrt/train.json", "bundles/nlcen_jsrt/evaluate.json"), {})
    assert bundle_command(cell, {}, processes=4) == [
        *["torch.distributed.run", "--standalone", "--nproc_per_node", "4"],
        *["-m", "monai.bundle", "run", "evaluating", "--config_file"],
        str([f"bundles/nlcen_jsrt/{name}.json" for name in ("train", "evaluate", "multi_gpu_train")]),
    ]
    with pytest.raises(InputError) as error:
        bundle_command(Cell("a", {}, "training", ("b/train.json",), {}), {}, processes=2)
    assert str(error.value) == "processes 2: a needs the file b/multi_gpu_train.json, which is missing."


def test_selected_cells_and_those_that_they_need(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert project.plan("--only", "*transfer*").selected == [CELLS[0], CELLS[1], CELLS[5]]
    plan = project.plan("--only", "*fine_tuned*", "--only", CELLS[0])
    # the others stay in the plan, for the report
    assert plan.selected == CELLS[:4] and list(plan.cells) == CELLS
    with pytest.raises(AssertionError):
        project.plan("--only", "*", "--only", "lungs-nlcn-seed0")
    assert capsys.readouterr().err == (
        "error: No cell's name is like 'lungs-nlcn-seed0'; there are for example lungs-nlcen-seed0, "
        "lungs-nlcen_nlce-seed0, lungs-ablation-frozen-seed0.\n"
    )
