"""``launch.py export-page``: one prompt as a page that needs no server."""

from __future__ import annotations

from dataclasses import replace

from core.cli.options import Options
from core.cli.piped import piped_text
from core.cli.progress import TerminalProgress
from core.engine.demo_page import demo_page, make_demo
from core.engine.engine import Engine
from core.util.files import write_bytes
from core.util.program import program
from core.util.progress import finished


def run_export_page(options: Options) -> int:
    """Answer, and write the page. Raises TillerError where there is nothing to show."""
    message = options.prompt or piped_text(
        f'export-page needs a prompt: `{program()} export-page "How do I bake bread?"`'
    )
    engine = Engine(options.family, **options.engine)
    settings = engine.settings(options.checkpoint)
    settings = replace(settings, columns=(settings.columns[0],), selected=0).ask(message)
    if options.max_tokens is not None:
        settings = replace(settings, sampling=replace(settings.sampling, max_new_tokens=options.max_tokens))
    engine.start()
    try:
        with TerminalProgress() as progress:
            demo = finished(make_demo(engine, settings, options.directions), progress.step)
    finally:
        engine.close()
    write_bytes(options.out, demo_page(demo).encode())
    print(f"Written to {options.out}: open it in any browser, or send it on.")
    return 0
