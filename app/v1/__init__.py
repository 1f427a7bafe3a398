"""An address that other programs understand, as OpenAI's servers have it: ``/v1``. No Gradio here."""
