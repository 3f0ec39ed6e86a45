# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import inspect
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from data_prep import isbi2016, jsrt
from experiments.report import write_report
from experiments.report.condition import Condition, by_condition, distinct_titles
from experiments.report.paper_sets import describe_data
from experiments.report.statistics import paired_differences
from experiments.results import describe_commits
from pipeline.figures import Curve, CurvePanel
from pipeline.utils import InputError, file_name

from .tables import Score, cell_rows, join

DESCRIPTIONS = {
    "jsrt": "JSRT with SCR lung masks, fold1 and fold2",
    "isbi2016": "skin phantoms",
    "mine": "Mine",
}


def falling(clean: float, slope: float) -> Score:
    return lambda seed, epsilon, image: clean - slope * epsilon + 0.004 * seed + 0.01 * image


def make_costs(table: pd.DataFrame) -> pd.DataFrame:
    """As the runner gives them: with labels, and None where nothing was measured."""
    cells = table.drop_duplicates("cell")[["cell", "data", "network", "nlce", "stage", "variant", "reading", "seed"]]
    return cells.assign(
        parameters=1234567,
        gradients_per_image=3.0,
        training_seconds=[None if reading else 60.0 + 2 * seed for reading, seed in zip(cells.reading, cells.seed)],  # noqa: B905
        evaluation_seconds=5.0,
        peak_memory_mb=None,
        device="A CPU",
        commit="abc1234",
        data_description=cells["data"].map(DESCRIPTIONS),
    )


def whole_table() -> pd.DataFrame:
    """Three seeds of NLCEN with and without NLCE, UNet, one stage and one reading; one seed of another data set."""
    three = join(
        cell_rows(falling(0.90, 0.010)),
        cell_rows(falling(0.91, 0.015), nlce=False),
        cell_rows(falling(0.92, 0.020), network="unet", nlce=False),
        cell_rows(falling(0.92, 0.018), network="unet", nlce=True),
        cell_rows(falling(0.90, 0.012), stage="without_nl"),
        cell_rows(falling(0.90, 0.001), reading="twelve_bit"),
        cell_rows(falling(0.90, 0.002), reading="twelve_bit", nlce=False),
        cell_rows(falling(0.90, 0.003), reading="twelve_bit", network="unet", nlce=False),
    )
    one = [
        cell_rows(falling(0.9, slope), data="isbi2016", network=name, nlce=name == "nlcen", seeds=[0], epsilons=[0, 5])
        for name, slope in (("nlcen", 0.02), ("mynet", 0.01))
    ]
    return join(three, *one)


def save_pictures(run: Path, image: str, *, seed: int = 0, epsilons: tuple[float, ...] = (16.0, 32.0)) -> None:
    random = np.random.default_rng(seed)
    label = np.zeros((16, 16), np.uint8)
    label[4:10, 4:10] = 1
    (run / "adversarial").mkdir(parents=True, exist_ok=True)
    np.savez(
        run / "adversarial" / f"{image}.npz",
        image=random.uniform(0, 255, (1, 16, 16)).astype(np.float32),
        label=label,
        epsilons=np.array(epsilons),
        delta=np.stack([np.full((1, 16, 16), epsilon, np.float32) for epsilon in epsilons]),
        prediction=np.stack([label] * (len(epsilons) + 1)),
    )


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    folder = tmp_path_factory.mktemp("report")
    for cell in ("jsrt-nlcen_nlce-seed0", "jsrt-unet-seed1"):
        save_pictures(folder / cell, "image1")
    save_pictures(folder / "jsrt-unet-seed1", "image0")
    runs = {cell: folder / cell for cell in ("jsrt-nlcen_nlce-seed0", "jsrt-unet-seed1", "jsrt-unet-seed0")}
    table = whole_table()
    return folder / "results", write_report(table, make_costs(table), folder / "results", runs)


def section(page: str, title: str) -> str:
    """The part of a page under a heading, down to the next of the same rank or a higher one."""
    rank = title.index(" ")
    start = page.index(f"\n{title}\n") + 1
    end = re.search(rf"\n#{{1,{rank}}} ", page[start + 1 :])
    return page[start:] if end is None else page[start : start + 1 + end.start()]


def test_files(reported: tuple[Path, list[Path]]) -> None:
    folder, written = reported
    stems = [
        *(f"figure_{name}_jsrt" for name in ("1", "6", "4", "7", "8", "claim")),
        "figure_networks_isbi2016",
    ]
    names = [f"figures/{stem}.{ending}" for stem in stems for ending in ("png", "pdf")]
    names = ["summary.csv", "differences.csv", *names, "summary.md"]
    assert [file.relative_to(folder).as_posix() for file in written] == names
    there = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert there == set(names)
    page = (folder / "summary.md").read_text()
    linked = re.findall(r"\]\((figures/[^)]*)\)", page)
    assert sorted(linked) == sorted(f"figures/{stem}.png" for stem in stems)


def test_summary_table(reported: tuple[Path, list[Path]]) -> None:
    table = pd.read_csv(reported[0] / "summary.csv", keep_default_na=False)
    assert len(table) == 8 * 2 + 2 * 2
    ours = table[(table.data == "jsrt") & (table.network == "nlcen") & table.nlce]
    ours = ours[(ours.stage == "") & (ours.reading == "")].astype({"DIC": float, "DIC_sd": float})
    assert ours["DIC"].tolist() == pytest.approx([0.909, 0.589])
    assert ours["DIC_sd"].tolist() == pytest.approx([0.004, 0.004])
    assert ours["DIC_paper"].tolist() == ["0.971", "0.963"] and ours["JSC_paper"].tolist() == ["0.945", "0.929"]
    # the paper's numbers are those of NLCEN on the paper's data, and of nothing else
    assert (table.drop(index=ours.index)[["DIC_paper", "JSC_paper"]] == "").all(axis=None)
    # one seed has no deviation
    assert (table[table.data == "isbi2016"][["DIC_sd", "JSC_sd"]] == "").all(axis=None)


def test_table_of_differences(reported: tuple[Path, list[Path]]) -> None:
    table = pd.read_csv(reported[0] / "differences.csv")
    pairs = list(table[["data", "question", "first", "second"]].drop_duplicates().itertuples(index=False, name=None))
    assert pairs == [
        ("jsrt", "nlce", "NLCEN", "NLCEN w/o NLCE"),
        ("jsrt", "network", "NLCEN", "UNet"),
        ("jsrt", "nlce", "UNet + NLCE", "UNet"),
        ("jsrt", "ablation", "ablation: w/o NL", "NLCEN w/o NLCE"),
        ("jsrt", "nlce", "NLCEN, ε in levels of 12 bits", "NLCEN w/o NLCE, ε in levels of 12 bits"),
        ("jsrt", "network", "NLCEN, ε in levels of 12 bits", "UNet, ε in levels of 12 bits"),
        ("isbi2016", "network", "NLCEN", "mynet"),
    ]
    rows = by_condition(whole_table())
    pair = [rows[Condition("jsrt", "unet", nlce)] for nlce in (True, False)]
    expected = paired_differences(*pair, ("", ""))
    columns = ["difference", "low", "high"]
    own = table[table["first"] == "UNet + NLCE"]
    assert own[columns].to_numpy() == pytest.approx(expected[columns].to_numpy(), rel=1e-4, abs=1e-9)
    few = table[table.data == "isbi2016"]
    assert few[["low", "high"]].isna().all(axis=None) and not few["claimed"].any()
    assert few["difference"].abs().max() > 0.04


def rows_of(text: str) -> dict[str, list[str]]:
    """The rows of the tables in a part of a page, by their first cell; the last of that name."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {line[0]: line[1:] for line in lines}


def test_page(reported: tuple[Path, list[Path]]) -> None:
    page = (reported[0] / "summary.md").read_text()
    assert rows_of(page.partition("## JSRT")[0])["isbi2016 (skin phantoms)"] == ["isbi2016", "2", "0", "2"]
    assert "abc1234" in page and "fewer than 3 seeds" in page
    jsrt = section(page, "## JSRT")
    networks = section(jsrt, "### All networks")
    dic, jsc = networks.split("| JSC |")
    assert rows_of(dic)["NLCEN in the paper"] == ["0.971", "0.963", "0.008", "–", "–"]
    assert rows_of(jsc)["NLCEN in the paper"] == ["0.945", "0.929", "0.016", "–", "–"]
    assert rows_of(dic)["NLCEN"] == ["0.909 ± 0.004", "0.589 ± 0.004", "0.320", "0.749", "3"]
    assert rows_of(networks)["NLCEN − UNet"] == [
        "**-0.020 (-0.020 to -0.020)**",
        "**+0.300 (+0.300 to +0.300)**",
    ]
    assert "This comes out here." in networks and "seeds 0, 1, 2: NLCEN 0.589, UNet 0.289." in networks
    assert "claimed above 0: NLCEN − UNet;" in networks
    assert "2 of 2 networks (NLCEN, UNet + NLCE)" in section(jsrt, "### With and without NLCE")
    ablation = section(jsrt, "### Ablation")
    assert "1 of 1 comparisons (ablation: w/o NL − NLCEN w/o NLCE)" in ablation
    assert rows_of(ablation.split("| JSC |")[0])["ablation: w/o NL"][:2] == ["0.909 ± 0.004", "0.525 ± 0.004"]
    claim = rows_of(section(jsrt, "### Other readings of the claim"))
    assert claim["ε in levels of 12 bits"] == ["0.877 ± 0.004", "0.845 ± 0.004", "0.813 ± 0.004", "yes, claimed"]
    costs = [line for line in section(page, "## Costs").splitlines() if line.startswith("| JSRT | NLCEN")]
    assert costs[0] == "| JSRT | NLCEN | 1,234,567 | 3 | 62 | 5 | – | A CPU | 3 |"
    assert "| JSRT | NLCEN, ε in levels of 12 bits | 1,234,567 | 3 | – | 5 | – | A CPU | 3 |" in costs
    # every table is one: no row without its header, no blank line within
    assert not re.search(r"\| --- \|\n\n|\n\n\n", page)


def test_data_that_are_not_the_papers_are_not_held_against_it(reported: tuple[Path, list[Path]]) -> None:
    skin = section((reported[0] / "summary.md").read_text(), "## isbi2016 (skin phantoms)")
    assert "paper" not in skin.lower() and "**" not in skin and "±" not in skin
    assert "seed 0: mynet 0.855, NLCEN 0.805." in skin
    assert rows_of(skin)["NLCEN − mynet"] == ["+0.000", "-0.050"]


def test_networks_whose_curves_say_nothing_about_robustness(tmp_path: Path, drawn: dict[str, list[CurvePanel]]) -> None:
    table = join(
        cell_rows(lambda seed, epsilon, image: 0.001, network="nwcn", nlce=False, data="mine"),
        cell_rows(lambda seed, epsilon, image: 0.697 + 0.044 * (epsilon > 0), network="slsdeep", data="mine"),
        cell_rows(falling(0.9, 0.01), data="mine"),
    )
    write_report(table, make_costs(table), tmp_path)
    page = (tmp_path / "summary.md").read_text()
    bold = [line for line in page.splitlines() if line.startswith("**") and "seeds" not in line]
    assert len(bold) == 2
    assert "nwcn" in bold[0] and "learned nothing" in bold[0] and "0.001" in bold[0]
    assert "slsdeep + NLCE" in bold[1] and "raises" in bold[1] and "0.697" in bold[1] and "0.741 at ε = 32" in bold[1]


def test_pictures_are_of_what_all_networks_have_saved(reported: tuple[Path, list[Path]]) -> None:
    page = (reported[0] / "summary.md").read_text()
    assert "*Figure 1: attack at ε = 16, training seed 0, on image1 of JSRT.*" in page
    assert "*Figure 6: attack at ε = 32, no common training seed (NLCEN 0, UNet 1), on image1 of JSRT.*" in page


def test_pictures_of_ids_with_slashes(tmp_path: Path, drawn: dict[str, list[CurvePanel]]) -> None:
    table = whole_table()
    runs = {cell: tmp_path / cell for cell in ("jsrt-nlcen_nlce-seed0", "jsrt-unet-seed0")}
    for run in runs.values():
        save_pictures(run, file_name("patient1/x"))
    write_report(table, make_costs(table), tmp_path, runs)
    page = (tmp_path / "summary.md").read_text()
    assert "*Figure 1: attack at ε = 16, training seed 0, on patient1/x of JSRT.*" in page


def test_pictures_are_of_one_seed_where_all_networks_have_it(
    tmp_path: Path, drawn: dict[str, list[CurvePanel]], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = whole_table()
    # UNet has no pictures of seed 0
    runs = {cell: tmp_path / cell for cell in ("jsrt-nlcen_nlce-seed0", "jsrt-nlcen_nlce-seed1", "jsrt-unet-seed1")}
    for run in runs.values():
        save_pictures(run, "image1")
    save_pictures(runs["jsrt-nlcen_nlce-seed0"], "image0")
    panels: list[object] = []
    monkeypatch.setattr(
        "experiments.report.pictures.save_prediction_panel",
        lambda rows, stem: panels.append(rows) or [stem],
    )
    write_report(table, make_costs(table), tmp_path, runs)
    page = (tmp_path / "summary.md").read_text()
    assert "*Figure 1: attack at ε = 16, training seed 0, on image0 of JSRT.*" in page
    assert "*Figure 6: attack at ε = 32, training seed 1, on image1 of JSRT.*" in page
    # on other data the paper has no such figures
    panels.clear()
    write_report(table, make_costs(table).assign(data_description="phantoms"), tmp_path, runs)
    page = (tmp_path / "summary.md").read_text()
    assert "*Attack at ε = 16, training seed 0, on image0 of jsrt (phantoms).*" in page
    assert "*Attack at ε = 32, training seed 1, on image1 of jsrt (phantoms).*" in page
    assert "*Ablation of NLCEN on jsrt (phantoms). " in page and "(figures/figure_ablation_jsrt)" in page
    assert "*The compared networks with and without NLCE on jsrt (phantoms). " in page
    assert "in the paper" not in page and "JSRT" not in page and "*Figure" not in page
    assert (tmp_path / "summary.csv").read_text().count("0.971") == 0


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[CurvePanel]]:
    """The diagrams of a report by figure, which are not drawn."""
    figures: dict[str, list[CurvePanel]] = {}

    def save(panels: list[CurvePanel], stem: Path, columns: int, marker_label: str, epsilon_label: str) -> list[Path]:
        figures[stem.name] = panels
        return [stem]

    monkeypatch.setattr("experiments.report.curves.save_comparison_curves", save)
    monkeypatch.setattr("experiments.report.pictures.save_attack_panel", lambda *arguments: [arguments[-1]])
    return figures


def curves(panel: CurvePanel) -> dict[str, Curve]:
    return {curve.label: curve for curve in panel.curves}


def test_figures_show_the_means_and_the_papers_numbers_where_due(
    tmp_path: Path, drawn: dict[str, list[CurvePanel]]
) -> None:
    table = whole_table()
    write_report(table, make_costs(table), tmp_path)
    dic, jsc = drawn["figure_4_jsrt"]
    assert dic.markers == {0.0: 0.971, 32.0: 0.963} and jsc.markers == {0.0: 0.945, 32.0: 0.929}
    assert list(curves(dic)) == list(curves(jsc)) == ["NLCEN", "UNet"]
    assert curves(dic)["NLCEN"].mean == pytest.approx([0.909, 0.589])
    assert curves(dic)["NLCEN"].deviation == pytest.approx([0.004, 0.004])
    # one seed has no band, and phantoms have no numbers in the paper
    skin = drawn["figure_networks_isbi2016"][0]
    assert skin.markers == {} and list(curves(skin)) == ["NLCEN", "mynet"]
    assert curves(skin)["NLCEN"].deviation is None and curves(skin)["NLCEN"].epsilons == [0.0, 5.0]
    assert list(curves(drawn["figure_7_jsrt"][0])) == ["w/o NLCE", "w/o NL"]
    assert [panel.markers for panel in drawn["figure_7_jsrt"]] == [{}, {}]
    assert [(panel.metric, panel.title, list(curves(panel))) for panel in drawn["figure_8_jsrt"]] == [
        ("DIC", "UNet", ["with NLCE", "without NLCE"]),
        ("JSC", "", ["with NLCE", "without NLCE"]),
    ]
    usual, other = drawn["figure_claim_jsrt"]
    assert (usual.title, other.title) == ("the paper's attack", "ε in levels of 12 bits")
    assert other.markers == {0.0: 0.971, 32.0: 0.963}
    assert curves(other)["NLCEN w/o NLCE"].mean == pytest.approx([0.909, 0.845])
    # a network has its own line everywhere
    lines = {
        (curve.label, curve.line) for name in ("figure_4_jsrt", "figure_claim_jsrt") for curve in drawn[name][0].curves
    }
    assert len(lines) == 3
    assert len({curve.line for curve in dic.curves}) == 2


def test_another_training_stands_beside_the_networks_that_it_does_not_concern(
    tmp_path: Path, drawn: dict[str, list[CurvePanel]]
) -> None:
    table = join(
        cell_rows(falling(0.9, 0.010), data="mine"),
        cell_rows(falling(0.9, 0.015), data="mine", nlce=False),
        cell_rows(falling(0.9, 0.020), data="mine", variant="scaled_attention"),
    )
    write_report(table, make_costs(table), tmp_path)
    assert list(drawn) == ["figure_networks_mine", "figure_claim_mine"]
    usual, scaled = drawn["figure_claim_mine"]
    assert scaled.title == "NLCE with 1/√d" and scaled.markers == {}
    assert curves(scaled)["NLCEN"].mean == pytest.approx([0.909, 0.269])
    assert curves(scaled)["NLCEN w/o NLCE"] == curves(usual)["NLCEN w/o NLCE"]
    page = (tmp_path / "summary.md").read_text()
    # without UNet nothing is said of the order
    assert "NLCEN highest" not in page and "| NLCEN, NLCE with 1/√d | 0.909" in page


def test_a_defence_is_compared_with_itself_without_nlce(tmp_path: Path, drawn: dict[str, list[CurvePanel]]) -> None:
    table = join(
        *(
            cell_rows(falling(start, slope), data="mine", nlce=nlce, variant=variant, reading=reading)
            for start, nlce, variant in (
                (0.9, True, ""),
                (0.9, False, ""),
                (0.8, True, "defence_mixed"),
                (0.7, False, "defence_mixed"),
            )
            for slope, reading in ((0.010, ""), (0.020, "worst_case"))
        )
    )
    write_report(table, make_costs(table), tmp_path)
    page = (tmp_path / "summary.md").read_text()
    mixed, worst = "trained against several losses", "worst case of the battery"
    for named in (mixed, f"{mixed}, {worst}"):
        row = next(
            line for line in page.splitlines() if line.startswith(f"| NLCEN, {named} − NLCEN w/o NLCE, {named} |")
        )
        assert row.count("**+0.100 (") == 2
    assert f"| NLCEN, {worst} − NLCEN w/o NLCE, {worst} | +0.000" in page
    claimed = f"claimed above 0: *NLCEN, {mixed}*, *NLCEN, {mixed}, {worst}*; "
    assert f"With and without NLCE, at ε = 32: Differences {claimed}" in page


def test_the_worst_case_of_a_stage_is_compared_under_the_same_attack(
    tmp_path: Path, drawn: dict[str, list[CurvePanel]]
) -> None:
    networks = ((0.9, True, ""), (0.8, False, ""), (0.7, True, "scratch_without_nl"))
    table = join(
        *(
            cell_rows(falling(start, slope), data="mine", nlce=nlce, stage=stage, reading=reading)
            for start, nlce, stage in networks
            for slope, reading in ((0.010, ""), (0.020, "worst_case"))
        )
    )
    write_report(table, make_costs(table), tmp_path)
    page = section((tmp_path / "summary.md").read_text(), "### Other readings of the claim")
    part, worst = "ablation: w/o NL, from scratch", "worst case of the battery"
    assert f"| NLCEN, {worst} − {part}, {worst} | **+0.200 (" in page
    assert f"| {part}, {worst} − NLCEN w/o NLCE, {worst} | **-0.100 (" in page
    assert f"| {part}, {worst} | 0.709 ± 0.004 | 0.069 ± 0.004 |" in page
    assert f"Stages of the ablation, at ε = 32: Differences claimed above 0: *NLCEN, {worst} − {part}, {worst}*" in page
    # under the paper's attack they stand in the ablation's section alone
    assert f"| NLCEN − {part} |" not in page


def test_seeds_and_commits_that_differ_are_named(tmp_path: Path, drawn: dict[str, list[CurvePanel]]) -> None:
    table = join(
        cell_rows(falling(0.9, 0.01), seeds=range(4)),
        cell_rows(falling(0.8, 0.01), network="unet", nlce=False, seeds=[0, 2, 3]).assign(commit="def5678"),
    )
    write_report(table, make_costs(table).assign(data_description=""), tmp_path)
    page = (tmp_path / "summary.md").read_text()
    assert "def5678" in describe_commits(table) and describe_commits(table) in page
    # a data set whose data list says nothing is none of the paper's, whatever its name
    assert "- jsrt (its data list has no description), UNet: seed 1" in page
    assert "## jsrt (its data list has no description)\n" in page
    assert drawn["figure_networks_jsrt"][0].markers == {}
    assert "3 to 4 seeds" in page


def test_the_same_results_give_the_same_bytes(reported: tuple[Path, list[Path]], tmp_path: Path) -> None:
    folder, written = reported
    table = whole_table()
    chosen = table[(table.data == "jsrt") & (table.stage == "") & (table.reading == "")]
    chosen = chosen[chosen.nlce == (chosen.network == "nlcen")]
    first = write_report(chosen, make_costs(chosen), tmp_path / "a")
    again = write_report(chosen, make_costs(chosen), tmp_path / "b")
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in again]
    own = {file.name: file for file in written}
    figures = [file for file in first if file.parent.name == "figures"]
    assert [file.name for file in figures] == ["figure_4_jsrt.png", "figure_4_jsrt.pdf"]
    assert [file.read_bytes() for file in figures] == [own[file.name].read_bytes() for file in figures]


def test_damaged_and_different_pictures_are_refused(tmp_path: Path, drawn: dict[str, list[CurvePanel]]) -> None:
    table = whole_table()
    runs = {cell: tmp_path / cell for cell in ("jsrt-nlcen_nlce-seed0", "jsrt-unet-seed0")}
    ours, other = (run / "adversarial" / "image1.npz" for run in runs.values())
    for run in runs.values():
        save_pictures(run, "image1")

    def refused() -> str:
        with pytest.raises(InputError) as error:
            write_report(table, make_costs(table), tmp_path / "results", runs)
        return str(error.value)

    save_pictures(runs["jsrt-nlcen_nlce-seed0"], "image1", seed=1)
    assert refused() == (f"{other} and {ours} hold different pictures under one name; run both cells on the same data.")
    save_pictures(runs["jsrt-nlcen_nlce-seed0"], "image1", epsilons=(4.0, 8.0))
    assert refused() == f"{other} and {ours} were attacked at other intensities; run both cells with the same."
    ours.write_bytes(ours.read_bytes()[:200])
    assert refused() == f"{ours} is no file of adversarial pictures, or is damaged; run its cell again."


def test_neither_a_wavering_nor_a_downward_difference_is_claimed_to_be_higher(
    tmp_path: Path, drawn: dict[str, list[CurvePanel]]
) -> None:
    def wavering(seed: int, epsilon: float, image: int) -> float:
        return 0.5 + 0.1 * seed

    table = join(
        cell_rows(wavering, reading="eight_bit"),
        cell_rows(lambda seed, epsilon, image: 0.55, reading="eight_bit", nlce=False),
        cell_rows(lambda seed, epsilon, image: 0.50, reading="eight_bit", network="unet", nlce=False),
        cell_rows(wavering, reading="unbounded"),
        cell_rows(lambda seed, epsilon, image: 0.65, reading="unbounded", nlce=False),
        cell_rows(lambda seed, epsilon, image: 0.50, reading="unbounded", network="unet", nlce=False),
        cell_rows(lambda seed, epsilon, image: 0.2, network="unet"),
        cell_rows(lambda seed, epsilon, image: 0.4, network="unet", nlce=False),
    )
    write_report(table, make_costs(table), tmp_path)
    page = (tmp_path / "summary.md").read_text()
    assert "| saved as 8-bit pictures | 0.600 ± 0.100 | 0.550 ± 0.000 | 0.500 ± 0.000 | yes |" in page
    assert "| no clip to 0 to 255 | 0.600 ± 0.100 | 0.650 ± 0.000 | 0.500 ± 0.000 | no |" in page
    assert "| UNet + NLCE − UNet | **-0.200 (-0.200 to -0.200)** | **-0.200 (-0.200 to -0.200)** |" in page
    assert "0 of 1 networks." in page and "claimed below 0: UNet + NLCE;" in page


def test_a_difference_that_is_claimed_the_other_way_round_over_more_seeds_is_no_claim(
    tmp_path: Path, drawn: dict[str, list[CurvePanel]]
) -> None:
    table = join(
        cell_rows(lambda seed, epsilon, image: 0.6 if seed < 3 else 0.3, reading="eight_bit", seeds=range(10)),
        cell_rows(lambda seed, epsilon, image: 0.5, reading="eight_bit", nlce=False, seeds=range(10)),
        # by the three seeds that all have NLCEN is the highest
        cell_rows(lambda seed, epsilon, image: 0.4, reading="eight_bit", network="unet", nlce=False),
    )
    write_report(table, make_costs(table), tmp_path)
    page = (tmp_path / "summary.md").read_text()
    assert re.search(r"^\| saved as 8-bit pictures \| 0\.390 .* \| yes \|$", page, re.MULTILINE)
    assert "claimed below 0: *NLCEN, saved as 8-bit pictures*" in page


@pytest.mark.parametrize(
    ("slope", "seeds", "words"),
    [
        (0.01, [0, 1, 2], "This comes out here. The mean DIC at ε = 32 over seeds 0, 1, 2: NLCEN 0.589, UNet 0.269."),
        (0.03, [0, 1, 2], "This does not come out here. The mean DIC at ε = 32 over seeds 0, 1, 2: UNet 0.269, "),
        # over the seed that both have, not 0.589 over NLCEN's
        (0.01, [2], "This comes out here. The mean DIC at ε = 32 over seed 2: NLCEN 0.593, UNet 0.273."),
        (0.01, [5], ""),
    ],
)
def test_whether_nlcen_is_the_best_of_all_over_the_seeds_that_all_have(
    tmp_path: Path, drawn: dict[str, list[CurvePanel]], slope: float, seeds: list[int], words: str
) -> None:
    table = join(cell_rows(falling(0.9, slope)), cell_rows(falling(0.9, 0.02), network="unet", nlce=False, seeds=seeds))
    write_report(table, make_costs(table), tmp_path)
    page = (tmp_path / "summary.md").read_text()
    assert words in page and ("The mean DIC" in page) == bool(words)


def test_the_order_of_a_reading_is_over_common_seeds_and_unet_may_be_the_main_one(
    tmp_path: Path, drawn: dict[str, list[CurvePanel]]
) -> None:
    table = join(
        cell_rows(falling(0.9, 0.01)),
        cell_rows(falling(0.9, 0.02), nlce=False),
        cell_rows(falling(0.9, 0.02), network="unet", nlce=False),
        cell_rows(falling(0.9, 0.01), reading="all_outputs"),
        cell_rows(falling(0.9, 0.02), reading="all_outputs", nlce=False),
        # by all seeds NLCEN is higher, by the seed that both have it is not
        cell_rows(lambda seed, epsilon, image: [0.8, 0.8, 0.3][seed], reading="eight_bit"),
        cell_rows(lambda seed, epsilon, image: 0.4, reading="eight_bit", nlce=False, seeds=[2]),
        cell_rows(lambda seed, epsilon, image: 0.2, reading="eight_bit", network="unet", nlce=False),
        cell_rows(falling(0.9, 0.01), reading="unbounded", seeds=[0]),
        cell_rows(falling(0.9, 0.02), reading="unbounded", nlce=False, seeds=[1]),
        cell_rows(falling(0.9, 0.02), reading="unbounded", network="unet", nlce=False),
    )
    write_report(table, make_costs(table), tmp_path)
    page = (tmp_path / "summary.md").read_text()
    order = {line.split(" | ")[0]: line.split(" | ")[-1] for line in page.splitlines() if line.count(" | ") == 4}
    assert order["| summed loss of all five outputs"] == "yes, claimed |"
    assert order["| saved as 8-bit pictures"] == "no |"
    assert order["| no clip to 0 to 255"] == "cannot be said |"
    # the table's UNet under the summed loss is that of the main attack, and so is the figure's
    assert "| summed loss of all five outputs | 0.589 ± 0.004 | 0.269 ± 0.004 | 0.269 ± 0.004 |" in page
    usual, summed, *_ = drawn["figure_claim_jsrt"]
    assert curves(summed)["UNet"] == curves(usual)["UNet"]
    footnote = "UNet has one output"
    assert page.count(footnote) == 2
    write_report(table[table["reading"] != "all_outputs"], make_costs(table), tmp_path / "without")
    assert footnote not in (tmp_path / "without" / "summary.md").read_text()


def test_a_stage_of_any_name_is_one_of_the_ablation(tmp_path: Path, drawn: dict[str, list[CurvePanel]]) -> None:
    table = join(cell_rows(falling(0.9, 0.02), nlce=False), cell_rows(falling(0.9, 0.01), stage="my_stage"))
    write_report(table, make_costs(table), tmp_path)
    assert list(drawn) == ["figure_7_jsrt"]
    assert list(curves(drawn["figure_7_jsrt"][0])) == ["w/o NLCE", "my stage"]
    page = (tmp_path / "summary.md").read_text()
    assert "| ablation: my stage − NLCEN w/o NLCE |" in section(page, "### Ablation")
    assert "### Other readings" not in page


@pytest.mark.parametrize(("title", "module", "dic"), [("JSRT", jsrt, 0.963), ("ISBI 2016", isbi2016, 0.801)])
def test_the_papers_data_is_known_by_what_data_prep_writes(title: str, module: ModuleType, dic: float) -> None:
    texts = re.findall(r'"([A-Z][^"{]*)', inspect.getsource(module))
    known = [data for data in (describe_data("mine", text) for text in texts) if data.nlcen]
    assert [(data.title, data.nlcen["DIC"][32.0]) for data in known] == [(title, dic)]


def test_the_unit_of_epsilon_stands_where_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = {}

    def save(panels: list[CurvePanel], stem: Path, columns: int, marker_label: str, epsilon_label: str) -> list[Path]:
        labels[stem.name] = (epsilon_label, [panel.title for panel in panels])
        return [stem]

    monkeypatch.setattr("experiments.report.curves.save_comparison_curves", save)
    table = join(cell_rows(falling(0.9, 0.01)), cell_rows(falling(0.9, 0.01), reading="after_normalization"))
    write_report(table, make_costs(table), tmp_path)
    assert labels == {
        "figure_4_jsrt": ("ε (grey levels of 255)", ["", ""]),
        "figure_claim_jsrt": (
            "ε",
            ["the paper's attack", "added after normalization, ε in 1/255 of a standard deviation"],
        ),
    }


def sinking(clean: float, rate: float) -> Score:
    """No straight line, so that its mean depends on the intensities."""
    return lambda seed, epsilon, image: clean * np.exp(-rate * epsilon) + 0.004 * (seed - 1) + 0.01 * image


def area(function: Score, epsilons: tuple[float, ...]) -> str:
    """The mean over ε of the mean over images 0 and 1 and seeds 0 to 2."""
    score = [function(1, epsilon, 0) + 0.005 for epsilon in epsilons]
    width = np.diff(epsilons)
    return f"{sum((np.array(score[1:]) + score[:-1]) / 2 * width) / sum(width):.3f}"


def test_the_battery_at_fewer_intensities_than_the_papers_attack(
    tmp_path: Path, drawn: dict[str, list[CurvePanel]]
) -> None:
    whole, fewer = (0.0, 2.0, 8.0, 16.0, 32.0), (0.0, 2.0, 8.0)
    networks = {("nlcen", True): 0.01, ("nlcen", False): 0.02, ("unet", False): 0.03, ("cdnn", True): 0.05}
    networks["cdnn", False] = 0.04
    table = join(
        *(
            cell_rows(sinking(0.9, rate * more), network=network, nlce=nlce, reading=reading, epsilons=epsilons)
            for (network, nlce), rate in networks.items()
            for more, reading, epsilons in ((1, "", whole), (2, "worst_case", fewer))
        )
    )
    write_report(table, make_costs(table).assign(data_description="phantoms"), tmp_path)
    page = (tmp_path / "summary.md").read_text()
    assert "| DIC | ε = 0 | ε = 2 | ε = 8 | ε = 16 | ε = 32 | drop | mean over ε | seeds |" in page
    networks_dic = section(page, "### All networks").split("| JSC |")[0]
    assert rows_of(networks_dic)["UNet"][-2] == area(sinking(0.9, 0.03), whole)
    assert "The mean DIC at ε = 32 over seeds 0, 1, 2: NLCEN 0.659, UNet 0.350, CDNN 0.255." in page
    assert "At ε = 32, the mean DIC is higher with NLCE in 1 of 2 networks (NLCEN)." in page
    claim = section(page, "### Other readings of the claim")
    order, dic, _ = re.split(r"\| DIC \| ε = 0 |\| JSC \|", claim)
    # what is compared at another ε than the rest says so
    assert rows_of(order)["the paper's attack"] == ["0.659 ± 0.004", "0.480 ± 0.004", "0.350 ± 0.004", "yes, claimed"]
    worst = "worst case of the battery"
    assert rows_of(order)[f"{worst}, at ε = 8"] == ["0.772 ± 0.004", "0.659 ± 0.004", "0.562 ± 0.004", "yes, claimed"]
    assert f"With and without NLCE, at ε = 8: Differences claimed above 0: *NLCEN, {worst}*; " in claim
    assert f"claimed below 0: *CDNN + NLCE, {worst}*; " in claim
    assert rows_of(order)[f"NLCEN, {worst} − NLCEN w/o NLCE, {worst}"][3:] == ["–", "–"]
    # no mean over many ε beside one over few, and every network that the battery attacked
    assert dic.startswith("| ε = 2 | ε = 8 | ε = 16 | ε = 32 | drop | mean over ε = 0, 2, 8 | seeds |")
    for title, (key, rate) in zip(
        ("NLCEN", "NLCEN w/o NLCE", "UNet", "CDNN + NLCE", "CDNN"), networks.items(), strict=True
    ):
        row = rows_of(dic)[f"{title}, {worst}"]
        assert row[3:] == ["–", "–", "–", area(sinking(0.9, 2 * rate), fewer), "3"]
        if key[0] != "cdnn":
            assert rows_of(dic)[title][-2] == area(sinking(0.9, rate), fewer) != area(sinking(0.9, rate), whole)
    usual, battery = drawn["figure_claim_jsrt"]
    assert curves(usual)["UNet"].epsilons == list(whole) and curves(battery)["UNet"].epsilons == list(fewer)
    assert "; not all were attacked at the same ε: each point is one. Mean of" in claim
    differences = pd.read_csv(tmp_path / "differences.csv")
    own = differences[differences["first"] == f"CDNN + NLCE, {worst}"]
    assert own["epsilon"].tolist() == [*fewer, *fewer]


def test_two_networks_of_one_class_are_two(
    tmp_path: Path, drawn: dict[str, list[CurvePanel]], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = join(
        cell_rows(falling(0.90, 0.010), data="mine"),
        *(
            cell_rows(falling(clean, 0.020), data="mine", network=network, nlce=nlce, reading=reading).assign(
                title="UNet + NLCE" if nlce else "UNet"
            )
            for network, start in (("unet", 0.90), ("wide", 0.80))
            for nlce, clean in ((True, start), (False, start - 0.05))
            for reading in ("", "worst_case")
        ),
        cell_rows(falling(0.85, 0.020), data="jsrt", network="unet", nlce=False),
    )
    runs = {name: tmp_path / name for name in ("mine-nlcen_nlce-seed0", "mine-unet-seed0", "mine-wide-seed0")}
    for run in runs.values():
        save_pictures(run, "image1")
    shown: list[list[str]] = []
    monkeypatch.setattr(
        "experiments.report.pictures.save_prediction_panel",
        lambda rows, stem: shown.extend([picture.title for picture in row] for row in rows) or [stem],
    )
    costs = make_costs(table)
    write_report(table, costs, tmp_path, runs)
    text = (tmp_path / "summary.md").read_text()
    page = section(text, "## mine (Mine)")
    networks = rows_of(section(page, "### All networks").split("| JSC |")[0])
    clean = {
        "UNet (unet)": 0.859,
        "UNet + NLCE (unet_nlce)": 0.909,
        "UNet (wide)": 0.759,
        "UNet + NLCE (wide_nlce)": 0.809,
    }
    assert {title: networks[title][0] for title in clean} == {
        title: f"{score:.3f} ± 0.004" for title, score in clean.items()
    }
    assert "over seeds 0, 1, 2: NLCEN 0.589, UNet (unet) 0.219, UNet (wide) 0.119." in page
    for part in ("", ", worst case of the battery"):
        for name in ("unet", "wide"):
            row = f"| UNet + NLCE ({name}_nlce){part} − UNet ({name}){part} | **+0.050 (+0.050 to +0.050)** |"
            assert row in page
    assert "2 of 2 networks (UNet + NLCE (unet_nlce), UNet + NLCE (wide_nlce))" in page
    assert "| mine (Mine) | UNet (wide) | 1,234,567 |" in text
    assert shown == [["NLCEN", "UNet (unet)", "UNet (wide)"]]
    assert list(curves(drawn["figure_networks_mine"][0])) == ["NLCEN", "UNet (unet)", "UNet (wide)"]
    assert [panel.title for panel in drawn["figure_nlce_mine"][:2]] == ["UNet (unet)", "UNet (wide)"]
    summary, differences = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("summary", "differences"))
    assert set(summary[summary["network"] == "wide"]["title"]) == {"UNet (wide)", "UNet + NLCE (wide_nlce)"}
    assert not differences.duplicated(["data", "first", "second", "metric", "epsilon"]).any()
    # alone on its data set it needs no more than its class
    assert set(summary[summary["data"] == "jsrt"]["title"]) == {"UNet"}


def test_a_stage_takes_no_title_from_a_network() -> None:
    # the bundle calls NLCE without both of its parts what it calls no NLCE
    bare = cell_rows(falling(0.9, 0.01), stage="bare").assign(title="NLCEN w/o NLCE")
    table = join(cell_rows(falling(0.9, 0.01)), cell_rows(falling(0.9, 0.02), nlce=False), bare)
    pd.testing.assert_frame_equal(distinct_titles(table), table)
