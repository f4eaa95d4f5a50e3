"""Load a bundle, find the entities of a text, say what memory that took: python first_entity.py BUNDLE VARIANT TEXT"""

import sys

from edgener_runtime import TokenClassifier

with TokenClassifier.load(sys.argv[1], "cpu", sys.argv[2]) as classifier:
    found = classifier.predict(sys.argv[3])
    print(len(found), flush=True)  # noqa: T201 - the clock stops here
    from state import state

    print(state().rss)  # noqa: T201
