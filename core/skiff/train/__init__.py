"""How Skiff is trained: model, tokenizer, stages, training log, counterfactuals."""
