"""SmolLM2-135M with stages of ours on top: safety and preference training whose every item is known."""
