"""Gradio without the stubs that it writes for editors: everything else of it is there."""

from __future__ import annotations

import subprocess
import sys

from tests.support.paths import ROOT

_TOLD = (
    "import sys; sys.path.insert(0, {root!r}); from app.quick_import import leave_out_stubs; leave_out_stubs(); leave_out_stubs()\n"
    "from pathlib import Path; read = []; own = Path.read_text\n"
    "Path.read_text = lambda path, *args, **named: read.append(str(path)) or own(path, *args, **named)\n"
    "import gradio; print(sum(each.endswith('.py') for each in read), sum('Stubs' in type(each).__name__ for each in sys.meta_path))\n"
    "with gradio.Blocks() as page: gradio.Textbox(label='a').submit(lambda text: text)\n"
    "print(len(page.fns), page.get_config_file()['components'][0]['type'])"
)


def test_gradio_is_whole_and_reads_no_source_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _TOLD.format(root=str(ROOT))], capture_output=True, text=True, check=True
    )
    # No source is read, the finder has gone when its work is done, and a page is made of components with events.
    assert done.stdout.split() == ["0", "0", "1", "textbox"]
