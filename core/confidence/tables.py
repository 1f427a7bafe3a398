"""What was measured of confidence, as tables and files: the same in the command line, on both screens and in the report. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from core.confidence import compare, plots
from core.confidence.compare import MARGIN, CheckpointPair
from core.confidence.confidence import Confidence
from core.stats import bootstrap, verdicts
from core.stats.rates import Rate
from core.stats.verdicts import Verdict
from core.util.figures import digits_text, figure_text, interval_text
from core.util.table import Table


def candidate_table(of: Confidence) -> Table:
    """The candidates of a checkpoint, with the causal check of each."""
    rows = []
    blocks = {each.layer: each for each in of.blocks}
    for index, (layer, neuron) in enumerate(of.candidates.neurons):
        block = blocks[layer]
        total = bootstrap.bootstrap_mean(of.candidates.total[index])
        rows.append(
            (
                str(layer),
                str(neuron),
                figure_text(block.norms[neuron], 3),
                digits_text(block.variances[neuron]),
                figure_text(block.ratio(neuron), 3),
                total.text(4),
                figure_text(of.candidates.frozen[index].mean(), 4),
                figure_text(of.candidates.loss[index].mean(), 4),
                "yes" if of.found[index] else "no",
            )
        )
    bars = ", ".join(f"{figure_text(of.bar(each.layer), 4)} in block {each.layer}" for each in of.blocks)
    return Table(
        f"Entropy-neuron candidates of {of.checkpoint}",
        (
            *("block", "neuron", "norm", "LogitVar", "norm / ln LogitVar", "entropy when ablated (95 %)"),
            *("scale frozen", "loss", "entropy neuron"),
        ),
        tuple(rows),
        f"Changes in nats over {len(of.plain.entropy)} texts. An entropy neuron changes the entropy by more than 95 of 100 neurons of like "
        f"norm do ({bars}) and with the final norm's scale frozen by less than half as much; of neurons of like norm "
        f"{sum(of.found_by_chance)} of {len(of.found_by_chance)} pass.",
    )


def calibrations(every: Sequence[Confidence]) -> Table:
    """How well calibrated each checkpoint is."""
    rows = []
    for of in every:
        own = of.calibration
        mean, most = own.by_chance
        low, high = Rate(int(own.right.sum()), own.n).interval
        rows.append(
            (
                *(
                    of.checkpoint,
                    own.ece.text(),
                    figure_text(mean, 3),
                    figure_text(most, 3),
                    figure_text(own.sureness, 3),
                ),
                *(
                    interval_text(own.accuracy, low, high, 3),
                    figure_text(own.brier, 3),
                    figure_text(own.mass, 3),
                    str(own.n),
                ),
            )
        )
    return Table(
        "Calibration on statements that are judged true or false",
        (
            *("checkpoint", "ECE (95 %)", "by chance", "at most (95 of 100)", "how sure", "right (95 %)"),
            *("Brier", "P(TRUE) + P(FALSE)", "n"),
        ),
        tuple(rows),
        "By chance: the calibration error that a perfectly calibrated model with the same sureness shows on as many questions.",
    )


def reliability_table(of: Confidence) -> Table:
    """The reliability diagram of a checkpoint as a table."""
    rows = tuple(
        (
            *(
                f"{figure_text(each.low)} to {figure_text(each.high)}",
                str(each.n),
                figure_text(each.sure, 3),
                figure_text(each.right, 3),
            ),
            f"{figure_text(each.interval[0], 3)} to {figure_text(each.interval[1], 3)}",
        )
        for each in of.calibration.bins
    )
    return Table(f"Reliability of {of.checkpoint}", ("how sure", "n", "mean", "right", "95 %"), rows)


def reliabilities(every: Sequence[Confidence]) -> Table:
    """The reliability diagrams of some checkpoints as one table."""
    tables = [reliability_table(of) for of in every]
    rows = tuple((of.checkpoint, *row) for of, table in zip(every, tables, strict=True) for row in table.rows)
    return Table("Reliability", ("checkpoint", *tables[0].columns), rows)


def shared(pair: CheckpointPair) -> Table:
    """The candidates that both have, with the ratio of the study in each."""
    base, post = ({each.layer: each for each in of.blocks} for of in (pair.base, pair.post))
    rows = []
    for layer, neuron in pair.overlap.shared:
        one, other = base[layer].ratio(neuron), post[layer].ratio(neuron)
        rows.append((str(layer), str(neuron), figure_text(one, 3), figure_text(other, 3), figure_text(other / one, 3)))
    found = pair.overlap
    return Table(
        f"Candidates that {pair.base.checkpoint} and {pair.post.checkpoint} share",
        ("block", "neuron", f"ratio in {pair.base.checkpoint}", f"ratio in {pair.post.checkpoint}", "post / base"),
        tuple(rows),
        f"Ratio: norm / ln LogitVar. Jaccard overlap {figure_text(found.jaccard, 3)}; by chance {figure_text(found.chance, 3)}, "
        f"95th percentile {figure_text(found.most, 3)}, p {figure_text(found.p, 4)}.",
    )


def difference_table(pair: CheckpointPair) -> Table:
    """What the candidates carry of the difference in entropy."""
    sets = sorted(abs(each) for each in pair.by_sets)
    rows = (
        ("difference in entropy, as they are", pair.before.text(4)),
        ("difference with both ablated", pair.after.text(4)),
        ("carried by the candidates", pair.carried.text(4)),
        ("part of the difference", pair.share.text(3)),
        (
            "90 % interval of that part",
            f"{figure_text(pair.share.inner_low, 3)} to {figure_text(pair.share.inner_high, 3)}",
        ),
        ("counts as none within", f"±{figure_text(MARGIN, 2)}"),
        (
            "carried by sets of like norm, median and largest",
            f"{figure_text(sets[len(sets) // 2], 4)}, {figure_text(sets[-1], 4)}",
        ),
        ("sets that carry as much (p)", figure_text(pair.p, 3)),
    )
    return Table(
        f"Entropy of {pair.base.checkpoint} less entropy of {pair.post.checkpoint}, in nats (95 %)",
        ("figure", "value"),
        rows,
        f"Over {len(pair.base.plain.entropy)} texts; each checkpoint's own candidates are set to their own means.",
    )


def neuron_table(of: Confidence) -> Table:
    """Every neuron of the last blocks: what the scatter shows."""
    chosen = set(of.candidates.neurons)
    rows = tuple(
        (
            str(block.layer),
            str(neuron),
            f"{norm:.6g}",
            f"{variance:.6g}",
            "yes" if (block.layer, neuron) in chosen else "no",
        )
        for block in of.blocks
        for neuron, (norm, variance) in enumerate(zip(block.norms, block.variances, strict=True))
    )
    return Table(f"MLP neurons of {of.checkpoint}", ("block", "neuron", "norm", "LogitVar", "candidate"), rows)


def of_pair(pair: CheckpointPair) -> Iterator[Verdict]:
    """Everything that is judged of a base and a post-trained checkpoint."""
    yield compare.exist(pair.base)
    yield compare.exist(pair.post)
    yield pair.shared
    yield pair.carried_by_none


def files(every: Sequence[Confidence]) -> dict[str, str]:
    """The texts of the files on the last of some checkpoints, the base first."""
    of = every[-1]
    found = {
        f"neurons.{of.checkpoint}.svg": plots.neuron_plot(of),
        "calibration.svg": plots.reliability_plot(every),
        f"neurons.{of.checkpoint}.csv": neuron_table(of).csv(),
    }
    short = {"candidates": candidate_table(of), "reliability": reliability_table(of)}
    return {**found, **{f"{name}.{of.checkpoint}.csv": table.csv() for name, table in short.items()}}


def confidence_verdicts(every: Sequence[Confidence]) -> list[Verdict]:
    """What is judged of a base and a post-trained checkpoint, or of one alone. Raises ComparisonError."""
    if len(every) == 2:
        return list(of_pair(CheckpointPair(every[0], every[1])))
    return [compare.exist(each) for each in every]


def tables(every: Sequence[Confidence]) -> list[Table]:
    """Every table, the verdicts first; none where nothing is known. Raises ComparisonError."""
    if not every:
        return []
    found = [verdicts.verdict_table(confidence_verdicts(every))]
    if len(every) == 2:
        pair = CheckpointPair(every[0], every[1])
        found += [difference_table(pair), shared(pair)]
    found += [candidate_table(each) for each in every]
    return [*found, calibrations(every), *(reliability_table(each) for each in every)]
