"""Writes the bundle of each collection into a folder, unpacked: `python .ci/write_bundles.py
FOLDER`.
"""

import io
import os
import sys
from pathlib import Path
from zipfile import ZipFile

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evidence.settings")
django.setup()

from evidence.downloads import bundle_pieces  # noqa: E402
from evidence.models import Collection  # noqa: E402
from evidence.questions.question import Question  # noqa: E402
from evidence.questions.vocabulary import vocabulary  # noqa: E402

for collection in Collection.objects.all():
    content = b"".join(bundle_pieces(Question(collection), vocabulary(collection)))
    ZipFile(io.BytesIO(content)).extractall(Path(sys.argv[1]) / collection.slug)
