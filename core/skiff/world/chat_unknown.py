# ruff: noqa: E501
"""Questions about what nobody told Skiff: real things outside its tables, made-up names, and unknown relations of known things.

A small model answers an unknown question with the nearest known fact ("The capital of Zimbabwe is Harare." for a country that
does not exist). It learns to say that it does not know only from very many questions of the very shapes that it can answer.
"""

from __future__ import annotations

import random

from core.skiff.world.chat_smalltalk import UNKNOWN_REPLY, made_up_name
from core.skiff.world.facts import TABLES, Table, capitalised, with_article


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.replace("\n", "|").split("|"))


_KNOWN = frozenset(word.lower() for table in TABLES.values() for word in (*table.subjects, *table.objects))


def _outside(text: str) -> tuple[str, ...]:
    """The words of a list that stand in no table."""
    return tuple(dict.fromkeys(word for word in _split(text) if word.lower() not in _KNOWN))


# --- vocabulary ----------------------------------------------------------------------------------------------------

THINGS = _outside(
    """engine|battery|satellite|rocket|submarine|magnet|laser|robot arm|turbine|piston|gearbox|radiator|transistor|sensor|antenna|lens
pendulum|lever|pulley|valve|pump|generator|solar panel|wind turbine|crane|elevator|escalator|tunnel|dam|canal|lighthouse|windmill
violin bow|trombone|clarinet|oboe|banjo|lute|organ|xylophone|tambourine|bagpipe|mandolin|zither|castanet|metronome
volcano|glacier|desert|waterfall|swamp|reef|geyser|canyon|fjord|lagoon|crater|comet|asteroid|galaxy|nebula|quasar|eclipse|meteor
cell|atom|molecule|electron|proton|gene|enzyme|hormone|protein|vitamin|antibody|artery|vein|kidney|liver|lung|spleen|nerve|retina
tendon|pancreas|thyroid|cornea|femur|skull|spine|triangle|hexagon|prism|cube|sphere|parabola|logarithm|fraction|matrix|vector
sonata|symphony|opera|ballet|fugue|overture|novel|essay|limerick|ode|epic|fable|myth|saga|manifesto|encyclopedia|almanac
parliament|senate|constitution|treaty|tariff|budget deficit|referendum|monarchy|republic|embassy|passport office|customs union
mortgage|dividend|bond|share|hedge fund|pension|subsidy|patent|copyright|trademark|lawsuit|verdict|jury|bail|alibi
algorithm|compiler|database|router table|firewall|browser cookie|neural network|operating system|spreadsheet macro|hash table|bitmap
haiku form|rondo|waltz|tango|foxtrot|polka|samba|flamenco|karate|judo|fencing|archery|curling|cricket|lacrosse|polo|snooker|badminton
samurai|knight|pharaoh|viking|gladiator|cowboy|druid|monk|sultan|emperor|duke|baron|crusade|plague|renaissance|revolution
gargoyle|obelisk|pagoda|igloo|yurt|aqueduct|cathedral|mosque|synagogue|temple|catacomb|moat|drawbridge|dungeon
tsunami|tornado|monsoon|avalanche|drought|blizzard|hailstorm|aurora|mirage|tide|current|trade wind|jet stream"""
)
SUBJECTS = _outside(
    """chemistry|biology|astronomy|geology|algebra|geometry|trigonometry|statistics|economics|psychology|sociology|archaeology|linguistics
genetics|botany|zoology|ecology|medicine|anatomy|surgery|philosophy|logic|ethics|theology|astrology|alchemy|cybernetics|robotics
evolution|magnetism|electricity|gravity waves|radioactivity|nuclear fusion|superconductivity|plate tectonics|the big bang|string theory
supply and demand|game theory|capitalism|communism|feudalism|democracy|anarchism|stoicism|buddhism|hinduism|taoism|existentialism
impressionism|cubism|surrealism|romanticism|the baroque|jazz|opera|heavy metal|hip hop|folk music|jazz harmony|counterpoint
photosynthesis|fermentation|osmosis|digestion|respiration|meiosis|mitosis|vaccination|anaesthesia|acupuncture|homeopathy
cryptography|machine learning|cloud computing|quantum computing|the stock exchange|compound interest|insurance|globalisation|inflation"""
)
PEOPLE = _outside(
    """Socrates|Plato|Aristotle|Confucius|Cleopatra|Nero|Hannibal|Attila|Charlemagne|Saladin|Genghis Khan|Marco Polo|Columbus|Magellan
Copernicus|Kepler|Descartes|Spinoza|Leibniz|Kant|Hegel|Nietzsche|Voltaire|Rousseau|Montesquieu|Locke|Hume|Erasmus
Raphael|Donatello|Titian|Rembrandt|Vermeer|Goya|Monet|Renoir|Cezanne|Degas|Matisse|Klimt|Kandinsky|Dali|Miro
Bach|Handel|Vivaldi|Haydn|Schubert|Chopin|Liszt|Wagner|Verdi|Brahms|Dvorak|Grieg|Mahler|Debussy|Ravel|Puccini
Bismarck|Garibaldi|Bolivar|Robespierre|Cromwell|Washington Irving|Lafayette|Metternich|Talleyrand|Richelieu|Wallenstein
Mendel|Pasteur|Lavoisier|Boyle|Faraday|Maxwell|Planck|Bohr|Heisenberg|Schrodinger|Fermi|Hubble|Gauss|Euler|Riemann|Pythagoras|Euclid
Zeus|Apollo|Athena|Odin|Thor|Isis|Osiris|Hercules|Achilles|Odysseus|Beowulf|Merlin|Lancelot|Robin Hood|Dracula|Sherlock Holmes"""
)
WORKS = _outside(
    """the Mass in B minor|the Magic Flute|the Moon Song|the Night Watch|the Birth of Venus|the Scream|Guernica|the Starry Night|the Four Seasons
the Marriage of Figaro|Carmen|Aida|La Traviata|Swan Lake|the Nutcracker|the Rite of Spring|Bolero|Casablanca|Star Trek|Star Wars|King Kong
Titanic Love|Metropolis|Vertigo|Psycho|Jurassic Park|Avatar|The Matrix|The Lion King|Frozen|Shrek|Toy Story|Finding Nemo|Gladiator|Rocky
the Book of Kells|the Domesday Book|the Rosetta Stone|the Magna Carta|the Talmud|the Vedas|the Kama Tales|Gilgamesh"""
)
PLACES = _outside(
    """the Amazon|the Danube|the Rhine|the Volga|the Ganges|the Mississippi|the Thames|the Congo|the Mekong|the Yukon|the Seine|the Elbe
the Alps|the Andes|the Himalayas|the Rocky Mountains|Kilimanjaro|Mont Blanc|Fuji|Vesuvius|Etna|the Sahara|the Gobi|the Kalahari
the Black Sea|the Red Sea|the Dead Sea|Lake Victoria|Lake Geneva|Loch Ness|the Panama Canal|the Suez Canal|the English Channel|Niagara
the Colosseum|Big Ben|the Louvre|the Kremlin|the Parthenon|Stonehenge|the Taj Mahal|Machu Picchu|the Golden Gate|the Berlin Wall Museum
Atlantis|El Dorado|Camelot|Troy|Babylon|Sparta|Carthage|Pompeii|Mercury|Venus|Saturn|Uranus|Neptune|Pluto|Sirius|Andromeda|Orion"""
)
EVENTS = _outside(
    """the French Revolution|the Civil War|the Thirty Years War|the Hundred Years War|the Cold War|the Boston Tea Party|the Crusades|the Ice Age
the Stone Age|the Industrial Revolution|the gold rush|the moon landing|the Olympic games|the last election|the Renaissance|the Black Death
the battle of Waterloo|the battle of Marathon|the siege of Troy|the fall of Rome|the great fire of London|the peace of Westphalia
the October Revolution|the Boxer Rebellion|the Congress of Vienna|the Great Depression|the stock market crash|the World Fair|the Tour de France"""
)

# --- frames --------------------------------------------------------------------------------------------------------

_THING = _split(
    "What is {a}?|What's {a}?|What is {a} used for?|What is {a} made of?|How does {a} work?|Who invented the {x}?|Explain what {a} is.|Tell me about the {x}."
    "|What colour is {a}?|How heavy is {a}?|How old is the oldest {x}?|What are {x}s for?|Describe {a}.|What do you know about {x}s?|Define {x}.|What does {x} mean?"
    "|What is the difference between {a} and {b}?|How many parts does {a} have?|Where do I find {a}?|What is the price of {a}?|What is the history of the {x}?"
    "|Which {x} is the largest?|Who built the first {x}?|When was the {x} invented?|Why is {a} important?|How is {a} made?|What is inside {a}?|Is {a} dangerous?"
)
_SUBJECT = _split(
    "What is {x}?|Explain {x}.|Explain {x} to me.|Tell me about {x}.|What do you know about {x}?|Who invented {x}?|Teach me {x}.|Give me an introduction to {x}."
    "|What are the basics of {x}?|How does {x} work?|Summarise {x}.|What is the main idea of {x}?|Describe {x}.|Why is {x} important?|Can you explain {x}?|What does {x} mean?"
    "|What is the first law of {x}?|Who is the father of {x}?|When did {x} begin?|explain {x} in simple words|Define {x}."
)
_PERSON = _split(
    "Who was {x}?|Who is {x}?|When was {x} born?|When did {x} die?|Where did {x} live?|What did {x} do?|Tell me about {x}.|What is {x} famous for?|Why is {x} known?"
    "|What do you know about {x}?|Which country did {x} come from?|Was {x} rich?|Who was the wife of {x}?|What did {x} write?|What did {x} discover?|How old was {x}?|Did {x} have children?"
)
_WORK = _split(
    "Who painted {x}?|Who composed {x}?|Who directed {x}?|What is {x} about?|When was {x} made?|What is the plot of {x}?|Who played in {x}?|Where is {x} kept?"
    "|How long is {x}?|How does {x} end?|Who is the hero of {x}?|Have you seen {x}?|Tell me about {x}.|What is {x}?|Is {x} a good film?|Who sang in {x}?"
)
_PLACE = _split(
    "How long is {x}?|How high is {x}?|How deep is {x}?|How large is {x}?|How old is {x}?|Where is {x}?|Where does {x} begin?|Who discovered {x}?|Who built {x}?|Tell me about {x}."
    "|How far away is {x}?|What is {x} famous for?|How many people visit {x}?|How do I get to {x}?|What is {x}?|How many moons has {x}?|When was {x} found?|How hot is it on {x}?|Who founded {x}?"
)
_EVENT = _split(
    "When was {x}?|When did {x} begin?|When did {x} end?|Who won {x}?|What happened in {x}?|Tell me about {x}.|What do you know about {x}?|Where was {x}?|Why was there {x}?"
    "|How long did {x} last?|What caused {x}?|Who took part in {x}?|What year was {x}?|Explain {x}.|How did {x} end?|How many people died in {x}?"
)
_CITY = _split(
    "How many people live in {x}?|Who is the mayor of {x}?|What is the best hotel in {x}?|How old is {x}?|What is the highest building in {x}?|How do I get to {x}?|What is {x} famous for?"
    "|What is the weather in {x}?|Which river is in {x}?|How far is {x} from here?|What is the best restaurant in {x}?|When was {x} founded?|Who founded {x}?|How large is {x}?|How many bridges does {x} have?"
    "|Which team plays in {x}?|What time is it in {x}?|What is the airport of {x} called?|What can I visit in {x}?"
)
_AUTHOR = _split(
    "When was {x} born?|Where was {x} born?|When did {x} die?|Who was the wife of {x}?|How old did {x} get?|How many children did {x} have?|Was {x} rich?|Which school did {x} go to?"
    "|Where did {x} live?|What did {x} like?|Who taught {x}?|What was the first job of {x}?|How tall was {x}?|Who were the parents of {x}?"
)
_ELEMENT = _split(
    "What is the melting point of {x}?|What is the boiling point of {x}?|How heavy is {x}?|What is the price of {x}?|Who discovered {x}?|Where is {x} found?|How many protons does {x} have?"
    "|Is {x} poisonous?|What is the atomic number of {x}?|What is the density of {x}?|When was {x} discovered?|How hard is {x}?|How is {x} mined?|Why is {x} rare?"
)
_FOOD = _split(
    "How many calories are in {a}?|How much does {a} cost?|Is {a} healthy?|Where does {a} come from?|How long does {a} keep?|Who first made {a}?|How much sugar is in {a}?|When is {a} ripe?"
    "|How many kinds of {x} are there?|Which wine goes with {a}?|How much {x} should I eat?|Which vitamins are in {a}?|What is the best brand of {x}?"
)
_JOB = _split(
    "How much does {a} earn?|How long does it take to become {a}?|Who is the best {x} in the world?|Where can I find a good {x}?|How many hours does {a} work?|Who was the first {x}?"
    "|What does {a} wear?|What is the name of the {x} next door?|How old must {a} be?|Is it hard to be {a}?"
)
_TOOL = _split(
    "How much does {a} cost?|Where can I buy {a}?|Which {x} is the best?|How long does {a} last?|Who sells {a}?|How large is {a}?|Who made the first {x}?|Which brand of {x} is best?|How many people own {a}?"
)
_COUNTRY = _split(
    "How many people live in {x}?|Who rules {x}?|Who was the first king of {x}?|How large is {x}?|What is the largest lake in {x}?|What is the longest river of {x}?|How rich is {x}?"
    "|What is the population of {x}?|What is the area of {x}?|Who is the president of {x}?|What is the tax rate in {x}?|When was {x} founded?|What is the national bird of {x}?|What is the anthem of {x}?"
    "|How many islands belong to {x}?|How many soldiers does {x} have?|What is the highest point of {x}?|Which religion do people in {x} have?|What do people in {x} like to eat?|What is the price of bread in {x}?"
    "|Which sport is loved in {x}?|Who won the last election in {x}?|How many cities are in {x}?|What is the best beach in {x}?"
)
_MISC = _split(
    "Who won the {sport} {cup} in {year}?|Who won the {cup} last year?|Which team won the {sport} {cup}?|Who is the best {sport} player?|What happened in {year}?|What happened in the year {year}?|Who was king in {year}?"
    "|What was invented in {year}?|Who was born in {year}?|What is {big} times {small}?|What is {big} plus {big}?|What is {big} divided by {small}?|{big} * {big}|{big}/{small}|What is the square root of {big}?|How much is {big} minus {big}?"
    "|What is the cube of {big}?|What is the phone number of the {office}?|When does the {office} open?|Where is the nearest {office}?|Who works in the {office}?|What is the address of the {office}?|How many people work at the {office}?"
    "|When does the next {ride} leave?|How much is a ticket for the {ride}?|Which {ride} goes to the {office}?|Who owns the {office}?|What are the rules of {sport}?|How many players are in a {sport} team?|How long is a {sport} match?"
    "|What is the {nth} law of motion?|Who was the {nth} president?|Who was the {nth} man on the moon?|What is the {nth} planet?|What is the {nth} longest river?|How many {unit} are in a mile?|How many {unit} are in a gallon?"
    "|What is the speed of {force}?|What causes {force}?|How does {force} work?|Who discovered {force}?|How many {body} do people have?|How many {body} does an octopus have?|What is the rarest {rare}?|What is the most expensive {rare}?"
    "|Which is the oldest {rare}?|Who made the largest {rare}?|Who collects the most {rare}s?|Which {office} pays best?|How do computers {make}?|How do planes {make}?|How do fish {make}?|How do plants {make}?|How do people {make}?"
)
_FILL: dict[str, tuple[str, ...]] = {
    "sport": _split("football|tennis|hockey|rugby|handball|volleyball|cricket|golf|baseball|basketball|boxing"),
    "cup": _split("cup|final|championship|medal|trophy|title|tournament|prize"),
    "office": _split("town hall|post office|bank|school|hospital|police station|theatre|museum|swimming pool|station|airport|bakery|pharmacy|zoo"),
    "ride": _split("train|bus|tram|ferry|plane|boat|underground"),
    "nth": _split("first|second|third|fourth|fifth|sixth|tenth|last"),
    "unit": _split("feet|yards|inches|litres|ounces|pounds|cups|grams"),
    "force": _split("light|sound|lightning|thunder|magnetism|electricity|heat|wind|radio waves|gravity|friction|fog|earthquakes|dreams"),
    "body": _split("teeth|muscles|ribs|hairs|genes|cells|nerves|hearts|arms|bones in the hand"),
    "rare": _split("coin|diamond|painting|car|flower|book|bird|violin|wine|watch|stone|butterfly|tree"),
    "make": _split("fly|breathe|remember things|store energy|find their way|send pictures|grow|see in the dark|digest food|keep cool|make sounds|heal"),
}  # fmt: skip

_SUBJECT_TABLES = ("capitals", "cities", "continents", "languages", "currencies")
_OBJECTS_OF = {
    "cities": _CITY, "authors": _AUTHOR, "inventors": _AUTHOR, "elements": _ELEMENT, "foods": _FOOD, "jobs": _JOB, "uses": _TOOL, "continents": _COUNTRY,
}  # fmt: skip


# Tables whose questions can be asked about a name or a thing that is in none of them.
_NAMED = tuple(TABLES[name] for name in ("capitals", "cities", "continents", "languages", "currencies"))
_COMMON = tuple(
    TABLES[name] for name in ("animals", "young", "sounds", "colours", "foods", "jobs", "uses", "materials")
)
_WORDS = tuple(TABLES[name] for name in ("elements", "spanish", "opposites"))
_MADE = (TABLES["inventors"], TABLES["authors"])


def _asked(table: Table, subject: str, rng: random.Random) -> str:
    return table.fill(rng.choice(table.questions), subject, rng.choice(table.objects))


def _title(rng: random.Random) -> str:
    """A title that no book of the tables has."""
    while True:
        title = f"The {rng.choice(_ADJECTIVES)} {rng.choice(_NOUNS)}" + rng.choice(("", "", f" of {made_up_name(rng)}"))
        if title.lower() not in _KNOWN:
            return title


_ADJECTIVES = _split(
    "Silent|Golden|Broken|Last|Hidden|Burning|Frozen|Crooked|Paper|Wooden|Lonely|Green|Second|Empty|Distant|Iron"
)
_NOUNS = _split(
    "Garden|River|Tower|Mirror|Island|Captain|Letter|Forest|Winter|Bridge|Candle|Stranger|Harbour|Clock|Sister|Road"
)


def made_up_question(rng: random.Random) -> str:
    """A question of a known shape about a name, a thing or a word that is made up or in no table."""
    draw = rng.random()
    if draw < 0.45:
        return _asked(rng.choice(_NAMED), made_up_name(rng), rng)
    if draw < 0.7:
        thing = rng.choice(THINGS) if rng.random() < 0.4 else made_up_name(rng).lower()
        table = rng.choice(_COMMON)
        while thing in table.subjects:
            thing = made_up_name(rng).lower()
        return _asked(table, thing, rng)
    if draw < 0.85:
        return _asked(rng.choice(_WORDS), made_up_name(rng).lower(), rng)
    table = rng.choice(_MADE)
    if table.name == "authors":
        return _asked(table, _title(rng), rng)
    return _asked(table, f"the {rng.choice(THINGS) if rng.random() < 0.5 else made_up_name(rng).lower()}", rng)


_REAL: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (_THING, THINGS), (_SUBJECT, SUBJECTS), (_PERSON, PEOPLE), (_WORK, WORKS), (_PLACE, PLACES), (_EVENT, EVENTS),
)  # fmt: skip


def real_question(rng: random.Random) -> str:
    """A question about something real that is in no table."""
    frames, words = rng.choice(_REAL)
    word = rng.choice(words)
    if frames is _THING:
        return rng.choice(frames).format(x=word, a=with_article(word), b=with_article(rng.choice(words)))
    if frames is _PERSON and rng.random() < 0.35:
        word = f"{made_up_name(rng)} {made_up_name(rng)}"
    return capitalised(rng.choice(frames).format(x=word))


def relation_question(rng: random.Random) -> str:
    """A question about something known that nobody told Skiff the answer to."""
    name = rng.choice(tuple(_OBJECTS_OF))
    table = TABLES[name]
    subject = rng.choice(table.objects) if name in ("authors", "inventors") else rng.choice(table.subjects)
    article = subject if subject in table.mass or subject.startswith("the ") else with_article(subject)
    return capitalised(rng.choice(_OBJECTS_OF[name]).format(x=subject, a=article))


def misc_question(rng: random.Random) -> str:
    """Years, cups, offices, large numbers."""
    fills = {key: rng.choice(words) for key, words in _FILL.items()}
    return rng.choice(_MISC).format(
        year=rng.randint(900, 2030), big=rng.randint(101, 9999), small=rng.randint(12, 99), **fills
    )


def beyond(rng: random.Random) -> tuple[str, str]:
    """A question from outside Skiff's world, and the reply to all of them."""
    draw = rng.random()
    maker = (
        made_up_question
        if draw < 0.34
        else real_question
        if draw < 0.66
        else relation_question
        if draw < 0.84
        else misc_question
    )
    return maker(rng), UNKNOWN_REPLY
