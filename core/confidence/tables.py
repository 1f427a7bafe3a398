"""What was measured of confidence, as tables and files: the same in the command line, on both screens and in the report. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from core.confidence import compare, plots
from core.confidence.compare import CheckpointPair
from core.confidence.confidence import Confidence
from core.stats import bootstrap, verdicts
from core.stats.rates import Rate
from core.stats.verdicts import Verdict
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
                f"{block.norms[neuron]:.3f}",
                f"{block.variances[neuron]:.2e}",
                f"{block.ratio(neuron):.3f}",
                total.text(4),
                f"{of.candidates.frozen[index].mean():.4f}",
                f"{of.candidates.loss[index].mean():.4f}",
                "yes" if of.found[index] else "no",
            )
        )
    bars = ", ".join(f"{of.bar(each.layer):.4f} in block {each.layer}" for each in of.blocks)
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
                *(of.checkpoint, own.ece.text(), f"{mean:.3f}", f"{most:.3f}", f"{own.sureness:.3f}"),
                *(f"{own.accuracy:.3f} ({low:.3f} to {high:.3f})", f"{own.brier:.3f}", f"{own.mass:.3f}", str(own.n)),
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
            *(f"{each.low:.2f} to {each.high:.2f}", str(each.n), f"{each.sure:.3f}", f"{each.right:.3f}"),
            f"{each.interval[0]:.3f} to {each.interval[1]:.3f}",
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
        rows.append((str(layer), str(neuron), f"{one:.3f}", f"{other:.3f}", f"{other / one:.3f}"))
    found = pair.overlap
    return Table(
        f"Candidates that {pair.base.checkpoint} and {pair.post.checkpoint} share",
        ("block", "neuron", f"ratio in {pair.base.checkpoint}", f"ratio in {pair.post.checkpoint}", "post / base"),
        tuple(rows),
        f"Ratio: norm / ln LogitVar. Jaccard overlap {found.jaccard:.3f}; by chance {found.chance:.3f}, 95th percentile {found.most:.3f}, "
        f"p {found.p:.4f}.",
    )


def difference_table(pair: CheckpointPair) -> Table:
    """What the candidates carry of the difference in entropy."""
    sets = sorted(abs(each) for each in pair.by_sets)
    rows = (
        ("difference in entropy, as they are", pair.before.text(4)),
        ("difference with both ablated", pair.after.text(4)),
        ("carried by the candidates", pair.carried.text(4)),
        ("part of the difference", pair.share.text(3)),
        ("counts as none within", f"±{pair.margin:.4f}"),
        ("90 % interval of what is carried", f"{pair.carried.inner_low:.4f} to {pair.carried.inner_high:.4f}"),
        ("carried by sets of like norm, median and largest", f"{sets[len(sets) // 2]:.4f}, {sets[-1]:.4f}"),
        ("sets that carry as much (p)", f"{pair.p:.3f}"),
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
