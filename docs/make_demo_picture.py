"""Draws docs/demo.png: python docs/make_demo_picture.py runs/demo docs/demo.png.

Every request's best candidate, as one sees it through each of its views.
"""

import sys
from pathlib import Path

from jobs.contact_sheets import run_sheet
from manifests.layout import RunFolder

if __name__ == "__main__":
    run_sheet(RunFolder(Path(sys.argv[1])), 1).save(sys.argv[2], optimize=True)
