"""The words on the screens, each explained in a sentence: for the help of both front ends, and where a word stands. No torch.

What a family calls its checkpoints and directions stands in its own file; that of Skiff uses the words of stages that are here.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Word → what it means, under the heading of the help; every word stands once.
WORDS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "Steering": (
        ("steering", "Pushing what a model computes while it writes, without training it."),
        ("direction", "One arrow in the space in which the model computes, learnt from two kinds of example; a model can be pushed along "
         "it, and read by it."),
        ("truth", "The direction from false to true statements. A model that is pushed against it denies what it knows."),
        ("refusal", "The direction from requests that are answered to those that are turned down. A push along it makes the model refuse."),
        ("strength", "How far the model is pushed. 1 is the distance between the two kinds of example, such as true and false statements."),
        ("recipe", "What is done to the model, as one line: 1.5*refusal adds, !refusal removes, truth=0 holds, @base takes the direction "
         "learnt on another checkpoint, [3] or [2-4] names layers, :prompt or :reply only those tokens, ?refusal>0.5 acts only where "
         "refusal read above 0.5 at the token before; !neurons:entropy sets a set of neurons to their means."),
        ("plain", "Without a recipe: the model as it is."),
        ("column", "One copy of the model, with its checkpoint and its recipe. All columns answer the same message."),
        ("asked in words", "A column without steering, whose messages ask for what the recipe does: what steering has to be better than."),
        ("effect", "How much a push does at each strength, measured beforehand on other prompts. Filled, behind the slider."),
        ("elsewhere", "The dashed line: what the same push does to other prompts, such as harmful ones."),
        ("damage", "How much a push changes answers that it should leave alone, in nats a token. The line behind the slider; 0 is none."),
        ("useful", "The bar under a slider: the strengths that do something and leave the text whole. Beyond it damage grows, or nothing "
         "more is gained."),
        ("tick", "A mark under a slider where the answer is computed already, so that it appears at once."),
        ("learnt on", "The checkpoint whose activations a direction was learnt from. Another one's may steer this one, too."),
        ("remove", "Take a direction out of everything the model computes, in every layer."),
        ("layer", "One of the steps in which a model computes a token. A push acts on one of them, or on several."),
    ),
    "Tokens and colours": (
        ("token", "The piece of text that a model writes at a time: a word or a part of one."),
        ("probability", "How likely the model found a token, from 0 to 1. Of a change: −1 is from sure to impossible, +1 the other way."),
        ("changed", "Orange: the recipe made this token likelier. Blue: it made it less likely."),
        ("surprise", "How unlikely the token was for the model: much colour, little probability."),
        ("entropy", "How undecided the model was before the token: 0 is sure of one, more is torn between many."),
        ("blame", "Which stage of training a token is owed to: what the models before and after each stage think of it."),
        ("retrained", "Compared with a model that was really trained again without the stage: the truth, where there is such a model."),
        ("subtracted", "Compared with a model from whose weights the stage's change was taken: an estimate."),
        ("first order", "Compared with a model from whose weights was taken what later training left of the stage's change: an estimate."),
        ("noise level", "How far two trainings differ by chance alone; smaller effects say nothing."),
        ("alternatives", "What else the model might have said at a token. Choose one, and the answer goes on from it."),
        ("pinned", "The panel stays at this token until it is let go."),
    ),
    "Models": (
        ("family", "The checkpoints of one model: what it was after each stage of its training."),
        ("checkpoint", "The model as it was after one stage of its training."),
        ("stage", "One part of a training, from a checkpoint to the next."),
        ("base", "The checkpoint before any chat: it was only taught to continue text."),
        ("pretrain", "The stage that makes the base: text of all kinds is continued."),
        ("instruct", "A checkpoint that was taught to follow instructions and chat."),
        ("sft", "Supervised fine-tuning: the stage in which a model is shown questions with good answers, and learns to chat."),
        ("safety", "The stage in which a model is taught what to refuse."),
        ("dpo", "Direct preference optimisation: the stage in which a model is shown two answers and which of them people prefer."),
        ("without a stage", "A model that was trained again without that stage, or an estimate of it."),
        ("seed 2, seed 3", "The same training with other chance: how far two runs differ by themselves."),
        ("recorded", "An answer that was written before and is shown while the model loads."),
        ("tok/s", "Tokens a second, all columns together."),
        ("memory", "What the models that are loaded take of the memory that is free for them."),
        ("context", "How many tokens a model can read at once; of a longer chat the beginning is cut off, and that is said."),
    ),
    "How the next token is drawn": (
        ("system prompt", "What the model is told before the conversation."),
        ("temperature", "How freely the next token is drawn: 0 always takes the likeliest, 1 draws as the model says."),
        ("top-p, top-k", "Draw only from the likeliest tokens: those that make up so much probability together, or so many."),
        ("repetition penalty", "Above 1 makes tokens that were said already less likely."),
        ("longest answer", "An answer ends after so many tokens at the latest."),
        ("seed", "The same seed draws the same tokens again."),
        ("stop strings", "An answer ends before any of these."),
        ("exact prompt", "Everything that the model reads before it writes, character by character."),
    ),
    "The other tabs": (
        ("Blame", "Which stage of training an answer came with, token by token."),
        ("came with", "How much likelier something became from the checkpoint before a stage to the one after it."),
        ("interaction", "What the stages' effects leave over of the whole change."),
        ("Transfer", "Whether a direction that was learnt on one checkpoint works on another."),
        ("works, in part, no", "Whether a direction does on another model as much as that one's own, something, or no more than nothing."),
        ("not decided", "The counts are too few to tell whether it works as well."),
        ("NIE", "Normalised indirect effect: how far a push moves a verdict, of the way that it could."),
        ("ceiling, null", "What a perfect match would reach with so few examples, and what unrelated things reach."),
        ("Inspect", "Where a model keeps what it knows, and how sure of itself it is."),
        ("knowledge map", "Layers by tokens: how much of a true answer comes back when one state is put back."),
        ("entropy neuron", "A neuron that no word reads: it makes the model more or less sure of everything at once."),
        ("LogitVar", "How differently a neuron moves the words; small for one that only changes how sure the model is."),
        ("ECE", "Expected calibration error: how far confidence and being right are apart, on average."),
        ("Library", "Every direction that is here with its card, and how to learn a new one."),
        ("card", "Everything that was measured of a direction, with the controls that it had to beat."),
        ("control", "The same measurement with something that should fail, such as a direction drawn at random."),
        ("rank", "A place in order. Of a token: 1 is the likeliest. Of a direction: p 0.01 when it does more than 100 controls."),
        ("P(refusal)", "How likely the model is to begin its answer as refusals begin, as a mean over requests."),
        ("P(TRUE) − P(FALSE)", "How much surer the model is that a statement is true than that it is false, from −1 to 1."),
        ("leaning", "How much likelier a push makes the answers that a direction was learnt from, in nats a token."),
        ("nats", "The unit of such changes: 1 makes something 2.7 times as likely, 2.3 ten times."),
        ("cosine", "How alike two directions are: 1 is the same, 0 nothing in common, −1 the opposite."),
        ("mean difference", "The usual way to learn a direction: the mean of the examples' states less the mean of the others'."),
        ("residual", "A model's state at a token and a layer: what its layers read and add to."),
        ("test split", "The examples that neither the direction nor its layer was chosen by: figures on them are fair."),
        ("steadiness", "How alike a direction comes out of other halves of its examples."),
        ("kinds of replies", "What replies do: answer, refuse, say that they do not know, lecture, put it off, or break down."),
    ),
}  # fmt: skip
