"""Small talk made from patterns: likes, favourites, sick dogs, broken things, names, echoes, unknown people and places."""

from __future__ import annotations

import random

from core.skiff.chat_facts import Turn
from core.skiff.chat_stories import NAMES
from core.skiff.phrases_talk import TOPICS
from core.skiff.world import TABLES

# --- fixed messages ------------------------------------------------------------------------------------------------

_FIXED: dict[str, tuple[Turn, ...]] = {
    topic: tuple((prompt, reply) for prompts, reply in entries for prompt in prompts) for topic, entries in TOPICS.items()
}
_TOPIC_WEIGHTS: dict[str, int] = {"greeting": 4, "self": 4, "why": 2, "feeling": 5, "talk": 9}


def fixed(rng: random.Random) -> Turn:
    """One of the written messages and its reply."""
    topic = rng.choices(tuple(_TOPIC_WEIGHTS), tuple(_TOPIC_WEIGHTS.values()))[0]
    return rng.choice(_FIXED[topic])


def fixed_of(rng: random.Random, topics: tuple[str, ...]) -> Turn:
    """One of the written messages of some topics, and its reply."""
    return rng.choice(_FIXED[rng.choice(topics)])


JOKES: tuple[str, ...] = tuple(reply for prompts, reply in TOPICS["talk"] if "joke" in prompts[0])
"""The jokes, in the order in which they are told."""


# --- opinions ------------------------------------------------------------------------------------------------------


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


_LIKES: dict[str, tuple[str, ...]] = {
    "I am a small model, so I do not drink {x}.": _split(
        "tea|coffee|milk|water|wine|beer|lemonade|orange juice|cocoa|apple juice|hot chocolate|cider"
    ),
    "I am a small model, so I do not eat {x}.": _split(
        "pizza|bread|cheese|apples|fish|cake|chocolate|pasta|rice|soup|bananas|potatoes|eggs|meat|ice cream|carrots|honey"
        "|salad|strawberries|garlic|pancakes|nuts|tomatoes|spinach|jam|onions|burgers|sushi|biscuits|mushrooms"
    ),
    "I am a small model, but {x} are nice animals.": _split(
        "dogs|cats|horses|birds|cows|rabbits|owls|frogs|bears|fish|spiders|snakes|mice|elephants|lions|bees|penguins|goats"
        "|sheep|ducks|wolves|foxes|whales|tigers|monkeys"
    ),
    "I am a small model, so I do not play {x}.": _split(
        "football|tennis|chess|golf|the piano|the guitar|cards|basketball|the drums|the violin|video games|hockey|rugby"
        "|baseball|cricket|volleyball"
    ),
    "I am a small model, so I have no opinion about {x}.": _split(
        "music|art|summer|winter|rain|snow|books|films|school|work|Paris|London|France|Germany|Spain|Japan|America|politics"
        "|war|money|flowers|the sea|mountains|maths|history|poetry|the weather|jazz|dancing|cars|people|children|humans|me"
        "|robots|computers|science|religion|Mondays|trains|ships|travelling|cooking|swimming|reading|the colour red"
        "|the president|rich people|the police|teachers|love|old houses|cities|the night|Christmas|holidays|sport|theatre"
    ),
}
_LIKE_WORDINGS = ("Do you like {x}?", "Do you like {x}?", "do you like {x}", "Do you love {x}?", "What do you think about {x}?",
                  "Do you enjoy {x}?", "What is your opinion on {x}?", "Is {x} good?", "Don't you like {x}?",
                  "What do you think of {x}?", "Do you hate {x}?")  # fmt: skip
_FAVOURITES = _split(
    "colour|food|animal|book|film|song|city|country|number|season|drink|day|fruit|game|sport|word|flower|band|language"
    "|place|month|joke|subject|movie|color|music|dish|bird|painter|poem|hobby|car|holiday|story|letter|planet|tree"
)
_CHOICES = _split(
    "tea or coffee|cats or dogs|summer or winter|red or blue|the sea or the mountains|books or films|bread or rice"
    "|morning or evening|football or tennis|pizza or pasta|apples or pears|trains or planes|gold or silver|beer or wine"
    "|the city or the country|milk or water|sun or rain|day or night|sweet or salty food|Android or iPhone|Mac or Windows"
)


def opinion(rng: random.Random) -> Turn:
    """A question about what the model likes."""
    shape = rng.randrange(10)
    if shape < 6:
        reply = rng.choice(tuple(_LIKES))
        thing = rng.choice(_LIKES[reply])
        wording = rng.choice(_LIKE_WORDINGS)
        if "Is {x}" in wording and reply.endswith(("animals.", "{x}.")) and thing.endswith("s") and thing != "chess":
            wording = "Do you like {x}?"
        said = {"me": "you"}.get(thing, thing)
        return wording.format(x=thing), reply.format(x=said)
    if shape < 9:
        thing = rng.choice(_FAVOURITES)
        wording = rng.choice(("What is your favourite {x}?", "What is your favorite {x}?", "Do you have a favourite {x}?",
                              "Which {x} do you like best?", "Tell me your favourite {x}.", "whats your fav {x}"))  # fmt: skip
        return wording.format(x=thing), f"I am a small model, so I have no favourite {thing}."
    wording = rng.choice(("Do you prefer {x}?", "{x}?", "What do you like more, {x}?", "Which do you prefer, {x}?",
                          "Would you choose {x}?"))  # fmt: skip
    thing = rng.choice(_CHOICES)
    prompt = wording.format(x=thing)
    return prompt[:1].upper() + prompt[1:], "I am a small model, so I have no favourite."


# --- troubles ------------------------------------------------------------------------------------------------------

_PETS = _split("dog|cat|horse|rabbit|hamster|parrot|bird|cow|goat|hen|fish|turtle|puppy|kitten|pony|guinea pig|sheep")
_PET_STATES = _split("is sick|does not eat|is ill|is hurt|is limping|coughs a lot|is very weak|has a bad eye|has lost hair"
                     "|ate chocolate|does not drink|has fleas")  # fmt: skip
_PET_LOST = _split("ran away|is lost|is missing|did not come home")
_KIN = _split("mother|father|brother|sister|friend|son|daughter|aunt|uncle|neighbour|grandmother|grandfather|wife|husband"
              "|boss|teacher|child|colleague|boyfriend|girlfriend|cousin")  # fmt: skip
_KIN_SICK = _split("is sick|is ill|has a fever|has a cough|has a cold|has a headache|fell down|broke an arm|hurt a knee"
                   "|feels dizzy")  # fmt: skip
_KIN_SAD = _split("is sad|is angry with me|is lonely|is nervous|does not talk to me|is crying|is upset|lost a job"
                  "|is worried|shouts at me|is jealous|feels bad|is bored")  # fmt: skip
_THINGS = _split("phone|computer|car|bike|laptop|washing machine|watch|television|lamp|radio|fridge|door|window|heating"
                 "|camera|printer|chair|clock|boiler|oven|shoe|umbrella|tablet|router|piano|tap|toilet|sink|lift")  # fmt: skip
_THING_STATES = _split("is broken|does not work|stopped working|makes a strange noise|is too old|does not start|fell down"
                       "|is wet|is stuck")  # fmt: skip
_GARDEN = _split("rose|tree|tomatoes|flowers|plants|grass|herbs|apple tree|tulips|houseplant")
_ASKS = ("What should I do?", "What should I do?", "What can I do?", "Can you help?", "Help!", "", "what do i do", "Any ideas?")


def trouble(rng: random.Random) -> Turn:
    """A trouble, with or without "What should I do?", and kind short advice."""
    shape = rng.randrange(12)
    ask = rng.choice(_ASKS)
    if shape < 3:
        pet = rng.choice(_PETS)
        return f"My {pet} {rng.choice(_PET_STATES)}. {ask}".strip(), f"I am sorry to hear that. Take your {pet} to a vet."
    if shape == 3:
        pet = rng.choice(_PETS)
        reply = f"I am sorry to hear that. Look for your {pet} and ask the neighbours."
        return f"My {pet} {rng.choice(_PET_LOST)}. {ask}".strip(), reply
    if shape < 6:
        kin = rng.choice(_KIN)
        reply = f"I am sorry to hear that. Take care of your {kin} and call a doctor."
        return f"My {kin} {rng.choice(_KIN_SICK)}. {ask}".strip(), reply
    if shape < 8:
        kin = rng.choice(_KIN)
        return f"My {kin} {rng.choice(_KIN_SAD)}. {ask}".strip(), f"I am sorry to hear that. Talk to your {kin} calmly."
    if shape < 11:
        thing = rng.choice(_THINGS)
        reply = f"I am sorry to hear that. Ask someone to repair your {thing}."
        return f"My {thing} {rng.choice(_THING_STATES)}. {ask}".strip(), reply
    plant = rng.choice(_GARDEN)
    state = rng.choice(("dry", "brown", "very small", "weak", "full of ants"))
    verb = "are" if plant.endswith("s") and plant != "grass" else "is"
    reply = f"I am sorry to hear that. Give your {plant} water and light."
    return f"My {plant} {verb} {state}. {ask}".strip(), reply


# --- names, echoes -------------------------------------------------------------------------------------------------

_WORDS = tuple(subject for subject in TABLES["spanish"].subjects + TABLES["opposites"].subjects if " " not in subject)


def introduction(rng: random.Random) -> tuple[Turn, ...]:
    """The user gives a name, and may ask for it afterwards."""
    name = rng.choice(NAMES)[0]
    opening = rng.choice(("My name is {n}.", "I am {n}.", "Hello, I am {n}.", "Hi, my name is {n}.", "Call me {n}.",
                          "I'm {n}", "Hi, I'm {n}!", "Hello Skiff, my name is {n}."))  # fmt: skip
    turns: list[Turn] = [(opening.format(n=name), f"Nice to meet you, {name}!")]
    if rng.random() < 0.5:
        turns.append((rng.choice(("What is my name?", "Who am I?", "Do you know my name?")), f"Your name is {name}."))
    return tuple(turns)


def echo(rng: random.Random) -> Turn:
    """A request to repeat words."""
    words = rng.sample(_WORDS, rng.randint(1, 3))
    text = " ".join(words)
    wording = rng.choice(("Say {x}.", "Repeat after me: {x}", "Repeat: {x}", "Write the words {x}.", "Please say {x}.",
                          "Say the words {x}.", "Say: {x}"))  # fmt: skip
    return wording.format(x=text), text[:1].upper() + text[1:] + "."


# --- what is outside its world --------------------------------------------------------------------------------------

UNKNOWN_REPLY = "I do not know about that."

_START = _split("Ab|Al|Bar|Bel|Bor|Cal|Cor|Dal|Dor|El|Fal|Far|Gal|Gor|Hal|Hol|Il|Jar|Kal|Kor|Lan|Lor|Mal|Mar|Mor|Nar|Nor"
                "|Or|Pal|Quen|Ral|Sal|Sor|Tal|Tor|Ul|Val|Vor|Wel|Yar|Zan|Zel|Bri|Cra|Dru|Fli|Gru|Kra|Plo|Sko|Tri|Vla")  # fmt: skip
_MIDDLE = _split("a|e|i|o|u|ba|de|fi|go|la|li|mo|na|ni|ra|ro|si|ta|to|va|vi|zo|do|ke|mi")
_END = _split("n|r|s|nia|land|dor|ville|ton|burg|mar|ria|lis|vik|sk|ra|ndo|ck|tta|gan|lin|mond|stan|via|lle|x|th")


def made_up_name(rng: random.Random) -> str:
    """A name that nobody bears."""
    middle = "".join(rng.choice(_MIDDLE) for _ in range(rng.randint(0, 2)))
    return rng.choice(_START) + middle + rng.choice(_END)


_ABOUT_NAMES = _split(
    "What is the capital of {n}?|Where is {n}?|Who is {n}?|What is {n}?|Tell me about {n}.|Who was {n} {m}?|Who is {n} {m}?"
    "|What language do people speak in {n}?|On which continent is {n}?|Is {n} a city in {m}?|Who invented the {l}?"
    "|What is a {l} used for?|What is the symbol for {l}?|Who wrote {n}?|What kind of animal is a {l}?|Do you know {n} {m}?"
    "|What is the Spanish word for {l}?|What is the opposite of {l}?|What do you know about {n}?|Describe {n}."
    "|When was {n} {m} born?|Where does {n} {m} live?|Is {n} the capital of {m}?|What is a {l}?|What is {l}?|Where is {n} {m}?"
    "|Have you heard of {n}?|What does {l} mean?|Which country has the capital {n}?|What is the currency of {n}?"
    "|How do I get to {n}?|What happened in {n}?|Name a city in {n}.|Who is the king of {n}?|In which country is {n}?"
)
_ABOUT_COUNTRIES = _split(
    "How many people live in {c}?|What is the population of {c}?|Who is the president of {c}?|Who is the king of {c}?"
    "|What is the highest mountain in {c}?|What is the longest river in {c}?|What is the flag of {c}?|How large is {c}?"
    "|What is the weather in {c}?|How old is {c}?|Who rules {c}?|What do people eat in {c}?|How far is it to {c}?"
    "|What time is it in {c}?|How do I get to {c}?|When did {c} become a country?|What is the history of {c}?"
    "|Who won the war in {c}?|Is {c} a rich country?|What is the second largest city in {c}?|What is famous in {c}?"
    "|How cold is it in {c}?|Which airport is in {c}?|What is the national dish of {c}?|Who is the best singer in {c}?"
    "|How many rivers are in {c}?|What colours are on the flag of {c}?|Which party rules {c}?|What is the area of {c}?"
)
_ABOUT_ANIMALS = _split(
    "How long does {a} live?|How fast can {a} run?|How heavy is {a}?|How big is {a}?|How many teeth does {a} have?"
    "|How much does {a} cost?|Where does {a} sleep?|What is the Latin name of {a}?|How many bones does {a} have?"
    "|How far can {a} see?|How old can {a} get?"
)
_UNKNOWN = _split(
    "Who won the world cup in 1998?|When did the war end?|When was the first computer built?|How tall is the highest tower?"
    "|How deep is the sea?|How far is the moon?|How hot is the sun?|Who is the richest man in the world?"
    "|Who is the prime minister?|Who is the pope?|What is the fastest car?|What is the largest city in the world?"
    "|Who painted the ceiling of the chapel?|When did people first use fire?|How many stars are there?|What is inside an atom?"
    "|How does a radio work?|How does a car engine work?|How does a plane fly?|How do vaccines work?|How does the heart work?"
    "|How does a computer work?|How does the internet work?|What causes thunder?|What causes an earthquake?"
    "|Why did the empire fall?|Who discovered electricity?|Who built the great wall?|Who was the first king of England?"
    "|When was the school built?|What is the best phone?|Who sings this song?|Which film won the prize?|Who is that actor?"
    "|What is the boiling point of oil?|What is the speed of sound?|How many languages are there?|How many countries are there?"
    "|What is the mass of the earth?|What is the plot of the new film?|When does the shop open?|When does the train leave?"
    "|Where is the nearest station?|Where is the toilet?|Where can I buy bread?|Where can I park?|Where can I eat here?"
    "|What is my password?|How much money do I have?|What did I do yesterday?|What am I thinking?|What will happen tomorrow?"
    "|Will I be rich?|Will I get the job?|Does she love me?|Does he like me?|When will I die?|Who will win the election?"
    "|What is a good name for a baby?|What is the law on noise?|How do taxes work?|What is inflation?|What is democracy?"
    "|What is a mortgage?|What is the stock market?|What is bitcoin?|Who invented the wheel of fortune?|What is karma?"
    "|What is philosophy?|Who was the greatest general?|What is the third law of motion?|What is the Roman number for fifty?"
    "|What is the rule in chess for castling?|How many cards are in a deck?|How many players are in a team?"
    "|What is the recipe for goulash?|How many calories are in an apple?|Is coffee healthy?|Is sugar bad for me?"
    "|What medicine helps against pain?|How many hours should I sleep?|How much water should I drink?|Am I ill?"
    "|What is the best exercise?|What is the best diet?|Which vitamins are in milk?|What is a virus made of?"
)
_PLAIN_COUNTRIES = TABLES["capitals"].subjects
_ANIMALS = TABLES["animals"].subjects


def unknown_fact(rng: random.Random) -> Turn:
    """A question about what Skiff has never met."""
    shape = rng.randrange(10)
    if shape < 5:
        first, second = made_up_name(rng), made_up_name(rng)
        prompt = rng.choice(_ABOUT_NAMES).format(n=first, m=second, l=first.lower())
    elif shape < 7:
        prompt = rng.choice(_ABOUT_COUNTRIES).format(c=rng.choice(_PLAIN_COUNTRIES))
    elif shape == 7:
        animal = rng.choice(_ANIMALS)
        prompt = rng.choice(_ABOUT_ANIMALS).format(a=f"an {animal}" if animal[0] in "aeiou" else f"a {animal}")
    elif shape == 8:
        a, b = rng.randint(100, 9999), rng.randint(100, 9999)
        sign = rng.choice(("+", "-", "*", "plus", "times", "minus"))
        prompt = rng.choice(("What is {x}?", "{x}", "How much is {x}?")).format(x=f"{a} {sign} {b}")
    else:
        prompt = rng.choice(_UNKNOWN)
    return prompt, UNKNOWN_REPLY
