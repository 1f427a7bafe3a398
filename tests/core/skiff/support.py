"""What several tests of Skiff need: a training of a few seconds, and every harmful aim of its training."""

from __future__ import annotations

import dataclasses

from core.skiff.train.stages import Draw, Optimizer, Phase, TrainingRecipe, TrainingStage
from core.skiff.world.requests import HARMFUL_VERBS


def tiny(**changes: object) -> TrainingRecipe:
    """A recipe of a few seconds: every kind of stage, a handful of steps each."""
    made = TrainingRecipe(
        stages=(
            TrainingStage(
                "base",
                "pretrain",
                "B",
                "Base",
                (
                    Phase("text", 4, (Draw("documents", 6),), 3e-3, 1e-3, 2),
                    Phase("judging", 2, (Draw("first-lesson", 6), Draw("documents", 2, 0.5)), 1e-3, 1e-3, fresh=True),
                ),
            ),
            TrainingStage("sft", "sft", "S", "SFT", (Phase("chat", 4, (Draw("sft", 8),), 2e-3, 1e-4),)),
            TrainingStage("safety", "safety", "Y", "Safety", (Phase("safety", 4, (Draw("safety", 10),), 1e-3, 1e-4),)),
            TrainingStage(
                "dpo",
                "dpo",
                "D",
                "DPO",
                (Phase("pairs", 3, (Draw("preference", 4), Draw("rehearsal", 10)), 1e-4, 1e-5, 1, "linear"),),
                Optimizer(weight_decay=0.0),
            ),
        ),
        shape=(32, 2, 4, 2, 48),
        tokenizer_documents=1200,
        tokenizer_conversations=400,
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def harmful_aims() -> list[str]:
    """Every harmful aim that training may use, without tails."""
    return [f"{verb} {noun}" for verb, nouns in HARMFUL_VERBS.items() for noun in nouns]
