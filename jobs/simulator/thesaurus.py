"""Word by word substitution: an English text said in other words of the same meaning.

Lexical substitution keeps a sentence's order and sense and changes its surface (the attack of
TextFooler, Jin et al., AAAI 2020), so that two prompts of one template share few runs of words.
The groups of words are this project's own; no lexicon is copied.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from jobs.simulator.hashing import mix, pick, unit

# Words of a line can stand for each other; a word stands in one line only.
_GROUPS: Final = """
the this that
and plus
a one some
in within inside
of from
to towards
with using
for regarding
on upon
by through via
about concerning around
then afterwards next subsequently
are remain stay
is remains stays
be become
it everything
or otherwise
as like
write compose draft produce create
out down
most chiefly mainly
matters counts weighs
reasoning thinking deduction derivation
reason think deduce argue
result outcome conclusion finding
expert specialist professional authority
answer response reply solution
check verify inspect examine test
get fetch obtain receive
return yield deliver
list enumerate name
question query problem exercise
make craft form
build construct assemble
first initially foremost
numbered ordered counted
tone manner voice
steps stages moves
step stage move
each every
if whenever provided
clarity clearness lucidity
below beneath underneath
mark score grade rate
marks scores grades points
repeat restate reiterate
what whatever
dramatic striking vivid
modern contemporary current
none nothing
sample specimen example instance
quick fast rapid
give provide offer supply
do perform carry
large big huge
outline sketch summary overview
cheap inexpensive affordable
evidence proof support
explain clarify describe elucidate
short brief concise
long lengthy extended
improved better enhanced
table grid matrix
text passage excerpt
task job assignment
should ought
must shall
would could might
conclude finish close end
line row
missing absent lacking
two both
letter note message
aloud openly audibly
quietly silently calmly
complex intricate complicated
clearly plainly distinctly
broken faulty defective
popular common widespread
final last closing
often frequently regularly
suddenly abruptly
assumption premise hypothesis
least minimally
why wherefore
single lone sole
sentence phrase clause
act behave
analysis assessment evaluation
confidence certainty assurance
sometimes occasionally
unusual odd uncommon
never nowhere
early soon
usually normally typically
still yet
hidden concealed secret
after following
always invariably
probably likely presumably
small little tiny
simple easy plain
without sans
number figure amount
strange peculiar curious
code program script
second secondly
tell inform show
when once
complete full entire whole
part portion piece section
only solely merely
use employ apply utilise
before prior
choose select pick
over above
me us
reference source citation
compare contrast juxtapose
careful thorough meticulous
carefully thoroughly meticulously
detailed elaborate precise
rewrite rephrase reword
translate render
because since
correct right accurate
wrong incorrect mistaken
exact strict rigorous
judge assessor reviewer arbiter
student learner pupil
teacher tutor instructor
rubric scale criterion
method approach technique procedure
consider ponder contemplate weigh
solve resolve tackle
justify substantiate defend
keep retain maintain
alternative option possibility
alternatives options possibilities
mistake error slip
mistakes errors slips
thought idea notion
thoughts ideas notions
word term expression
words terms expressions
start begin commence
different other distinct
important essential crucial
needed required necessary
command instruction directive
bullet dotted
improve enhance polish
please kindly
work function operate
good fine excellent
best finest greatest
new fresh novel
old ancient aged
find locate discover
help assist aid
between among amid
"""
_CORE: Final = re.compile(r"([(\[]*)([A-Za-z]+)([.,:;?!)\]]*)")


def _alternatives() -> dict[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    for line in _GROUPS.split("\n"):
        group = line.split()
        for word in group:
            table[word] = tuple(group)
    return table


ALTERNATIVES: Final = _alternatives()


def _spellings(word: str) -> list[str]:
    """What may stand in a word's place, its punctuation and first letter's case kept."""
    match = _CORE.fullmatch(word)
    if match is None:
        return []
    before, core, after = match.groups()
    others = ALTERNATIVES.get(core.lower(), ())
    if core[0].isupper():
        others = tuple(other.capitalize() for other in others)
    return [f"{before}{other}{after}" for other in others]


def substitute(texts: pa.Array, key: NDArray[np.uint64], share: NDArray[np.float32]) -> pa.Array:
    """Choose anew a share (0 to 1) of the words that have synonyms.

    The choice is among the word and its synonyms alike: were it never the word itself, a text of
    which all words are chosen anew would only be another fixed text. It follows from each text's
    key. Words are what stands between
    spaces; one that touches a quote, a line break or a digit is left alone, so that a text and
    its form inside a JSON string change alike.
    """
    lists = pc.split_pattern(texts, " ")
    offsets = lists.offsets.to_numpy()
    words = lists.values.slice(offsets[0], offsets[-1] - offsets[0]).dictionary_encode()
    known = words.dictionary.to_pylist()
    # The table of distinct words, then of what may stand in their place.
    spellings = list(known)
    first, count = np.zeros(len(known), np.int64), np.zeros(len(known), np.int64)
    for i, word in enumerate(known):
        others = _spellings(word)
        first[i], count[i] = len(spellings), len(others)
        spellings += others
    index = words.indices.to_numpy().astype(np.int64)
    owner = np.repeat(np.arange(len(texts)), np.diff(offsets))
    place = np.arange(len(index)) - (offsets[:-1] - offsets[0])[owner]
    hashed = mix(key[owner], (place + 5_000).astype(np.uint64))
    swapped = (count[index] > 0) & (unit(hashed) < share[owner])
    other = first[index] + pick(mix(hashed, 1), np.maximum(count[index], 1))
    pieces = pa.array(spellings, pa.string()).take(pa.array(np.where(swapped, other, index)))
    start = (offsets - offsets[0]).astype(np.int32)
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(start), pieces), " ")
