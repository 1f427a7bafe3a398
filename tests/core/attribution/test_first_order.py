"""Stage embeddings against the derivative that they are, taken by finite differences of whole trainings."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from core.attribution.first_order import (
    RUNGS,
    Carrier,
    Embedding,
    FirstOrderError,
    Rung,
    exact_hessian,
    hessian_by_difference,
)
from core.attribution.stage_embeddings import linear, point, shifted
from core.errors import TillerError

STEPS = {"one": 4, "two": 5, "three": 6}
Make = Callable[[list[nn.Parameter]], torch.optim.Optimizer]
OPTIMIZERS: dict[str, Make] = {
    "sgd": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.05),
    "dampened": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, dampening=0.5, weight_decay=0.05),
    "nesterov": lambda p: torch.optim.SGD(p, 0.1, momentum=0.8, weight_decay=0.02, nesterov=True),
    "adamw": lambda p: torch.optim.AdamW(p, 0.02, betas=(0.8, 0.9), weight_decay=0.1, eps=1e-3),
    "adam": lambda p: torch.optim.Adam(p, 0.02, betas=(0.8, 0.9), weight_decay=0.1, eps=1e-3),
    "adam, decoupled": lambda p: torch.optim.Adam(
        p, 0.02, betas=(0.8, 0.9), weight_decay=0.1, eps=1e-3, decoupled_weight_decay=True
    ),
}


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()


def batch(step: int) -> tuple[Tensor, Tensor]:
    made = torch.Generator().manual_seed(step)
    inputs = torch.randn(8, 3, generator=made, dtype=torch.float64)
    return inputs, (inputs[:, 0] + 0.3 * step > 1).long()


def loss(model: nn.Module, step: int) -> Tensor:
    inputs, labels = batch(step)
    return functional.cross_entropy(model(inputs), labels)


def train(
    make: Make, off: str = "", part: float = 1.0, rung: Rung | None = None, clip: float = 0.0, resets: bool = False,
    inside: bool = True,
) -> tuple[nn.Module, dict[str, Embedding]]:  # fmt: skip
    """Three stages; the steps of the one called ``off`` are taken to the part ``part`` only, in weights and optimizer state."""
    model = network()
    parameters = dict(model.named_parameters())
    optimizer = make(list(parameters.values()))
    carrier = Carrier(parameters, rung or RUNGS["difference"], inside=inside)
    step = 0
    for stage, steps in STEPS.items():
        carrier.begin(stage, reset=resets)
        if resets:
            optimizer = make(list(parameters.values()))
        for inner in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = 0.05 / (1 + inner)
            optimizer.zero_grad()
            loss(model, step).backward()
            scale = 1.0
            if clip:
                norm = float(nn.utils.clip_grad_norm_(model.parameters(), clip))
                scale = min(1.0, clip / (norm + 1e-6))
            before = [p.detach().clone() for p in parameters.values()]
            states = [{k: v.clone() for k, v in optimizer.state.get(p, {}).items()} for p in parameters.values()]
            hessian = exact_hessian(lambda now=step: loss(model, now), parameters)
            with carrier.step(optimizer, hessian, scale):
                optimizer.step()
            if stage == off and part < 1:
                with torch.no_grad():
                    for parameter, old, state in zip(parameters.values(), before, states, strict=True):
                        parameter.copy_(old + part * (parameter - old))
                        for key, new in optimizer.state[parameter].items():
                            if key != "step" and new is not None:
                                new.copy_(state.get(key, torch.zeros_like(new)) * (1 - part) + part * new)
            step += 1
    return model, carrier.embeddings()


def derivative(make: Make, stage: str, **more: object) -> Embedding:
    """d θ_K / d ξ at ξ = 1, from two trainings in which the stage is taken a little less."""
    far = 1e-4
    ends = [dict(train(make, stage, 1 - times * far, **more)[0].named_parameters()) for times in (0, 1, 2)]  # type: ignore[arg-type]
    # One-sided, of second order: a stage cannot be taken to more than it was.
    return {name: ((3 * ends[0][name] - 4 * ends[1][name] + ends[2][name]) / (2 * far)).detach() for name in ends[0]}


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("resets", [False, True])
def test_the_highest_rung_is_the_derivative_of_the_training(kind: str, resets: bool) -> None:
    _, found = train(OPTIMIZERS[kind], rung=RUNGS["curvature"], resets=resets)
    for stage in STEPS:
        true = derivative(OPTIMIZERS[kind], stage, resets=resets)
        for name, part in true.items():
            torch.testing.assert_close(found[stage][name], part, rtol=1e-4, atol=1e-6)


def test_clipped_gradients_are_carried_as_they_were_clipped() -> None:
    _, found = train(OPTIMIZERS["sgd"], rung=RUNGS["curvature"], clip=0.2)
    true = derivative(OPTIMIZERS["sgd"], "one", clip=0.2)
    other = train(OPTIMIZERS["sgd"], rung=RUNGS["curvature"])[1]
    for name, part in true.items():
        # clip_grad_norm_ adds 1e-6 to the norm, of which the carrier is not told.
        torch.testing.assert_close(found["one"][name], part, rtol=1e-3, atol=1e-5)
        assert not torch.allclose(other["one"][name], part, rtol=0.05)


def test_the_lowest_rung_is_the_difference_of_checkpoints() -> None:
    model, found = train(OPTIMIZERS["adamw"])
    total = {name: sum(found[stage][name] for stage in STEPS) for name in found["one"]}
    start = dict(network().named_parameters())
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(start[name] + total[name], parameter)


def test_the_schedule_alone_shrinks_by_every_rate_and_decay() -> None:
    make = OPTIMIZERS["adamw"]
    _, plain = train(make, inside=False)
    _, found = train(make, rung=RUNGS["schedule"], inside=False)
    shrunk = 1.0
    for stage in ("two", "three"):
        for inner in range(STEPS[stage]):
            shrunk *= 1 - 0.05 / (1 + inner) * 0.1
    for name, part in plain["one"].items():
        torch.testing.assert_close(found["one"][name], part * shrunk)
        # With its exact difference to begin with, the last stage is exact at every rung.
        torch.testing.assert_close(found["three"][name], plain["three"][name])


def test_momentum_without_curvature_carries_decay_alone() -> None:
    make = OPTIMIZERS["sgd"]
    state = train(make, rung=RUNGS["state"])[1]
    schedule = train(make, rung=RUNGS["schedule"])[1]
    assert not torch.allclose(state["one"]["0.weight"], schedule["one"]["0.weight"])
    undecayed = Rung("undecayed", decay=False, curvature=False)
    without = train(lambda p: torch.optim.SGD(p, 0.1, momentum=0.9), rung=RUNGS["state"])[1]
    also = train(lambda p: torch.optim.SGD(p, 0.1, momentum=0.9), rung=undecayed)[1]
    torch.testing.assert_close(without["one"]["0.weight"], also["one"]["0.weight"])


def test_two_gradients_give_the_products_of_differentiating_twice() -> None:
    model = network()
    parameters = dict(model.named_parameters())
    vector = {name: torch.randn_like(parameter) for name, parameter in parameters.items()}

    def gradients() -> dict[str, Tensor]:
        found = torch.autograd.grad(loss(model, 3), list(parameters.values()))
        return dict(zip(parameters, found, strict=True))

    exact = exact_hessian(lambda: loss(model, 3), parameters)(vector)
    before = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    near = hessian_by_difference(gradients, parameters)(vector)
    for name, part in exact.items():
        torch.testing.assert_close(near[name], part, rtol=1e-4, atol=1e-6)
        assert torch.equal(parameters[name], before[name])
    nothing = hessian_by_difference(gradients, parameters)(
        {name: torch.zeros_like(p) for name, p in parameters.items()}
    )
    assert all(not bool(each.any()) for each in nothing.values())


def test_both_readouts() -> None:
    model = network()
    parameters = dict(model.named_parameters())
    inputs, _ = batch(0)
    embedding = {name: 0.3 * torch.randn_like(parameter) for name, parameter in parameters.items()}

    def metric() -> Tensor:
        return model(inputs).softmax(-1)[:, 0].detach()

    whole = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    true = torch.func.jvp(
        lambda weights: torch.func.functional_call(model, weights, (inputs,)).softmax(-1)[:, 0], (whole,), (embedding,)
    )[1]
    torch.testing.assert_close(linear(parameters, embedding, metric), true, rtol=1e-3, atol=1e-6)
    moved = torch.func.functional_call(model, {name: whole[name] - embedding[name] for name in whole}, (inputs,))
    torch.testing.assert_close(point(parameters, embedding, metric), metric() - moved.softmax(-1)[:, 0].detach())
    for name, weight in whole.items():
        assert torch.equal(parameters[name], weight)


def test_what_cannot_be_carried_is_said() -> None:
    model = network()
    parameters = dict(model.named_parameters())
    other = Carrier(parameters, RUNGS["schedule"])
    with (
        pytest.raises(FirstOrderError, match="No stage has begun"),
        other.step(torch.optim.SGD(model.parameters(), 0.1)),
    ):
        pass
    other.begin("one")
    with pytest.raises(FirstOrderError, match="comes twice"):
        other.begin("one")
    loss(model, 0).backward()
    rms = torch.optim.RMSprop(model.parameters())
    with pytest.raises(FirstOrderError, match="RMSprop cannot be carried"), other.step(rms):
        rms.step()
    with pytest.raises(FirstOrderError, match="mean learning rate"):
        Carrier(parameters, Rung("flat", schedule=False))
    curved = Carrier(parameters, RUNGS["curvature"])
    curved.begin("one")
    with (
        pytest.raises(FirstOrderError, match="needs the Hessian"),
        curved.step(torch.optim.SGD(model.parameters(), 0.1)),
    ):
        pass
    with pytest.raises(TillerError, match="does not fit this model"), shifted(parameters, {"x": torch.ones(1)}, 1.0):
        pass


def test_the_parts_of_bfloat16_weights_add_up_in_float32() -> None:
    model = network().bfloat16()
    parameters = dict(model.named_parameters())
    start = {name: parameter.detach().float() for name, parameter in parameters.items()}
    carrier = Carrier(parameters, RUNGS["difference"])
    for stage, count in STEPS.items():
        carrier.begin(stage)
        optimizer = torch.optim.SGD(parameters.values(), 0.3)
        for step in range(count):
            inputs, labels = batch(step)
            optimizer.zero_grad()
            functional.cross_entropy(model(inputs.bfloat16()), labels).backward()
            with carrier.step(optimizer):
                optimizer.step()
    found = carrier.embeddings()
    for name, parameter in parameters.items():
        parts = [found[stage][name] for stage in STEPS]
        assert {each.dtype for each in parts} == {torch.float32}
        torch.testing.assert_close(sum(parts), parameter.detach().float() - start[name], rtol=0, atol=1e-6)
