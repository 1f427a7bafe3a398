"""The words that small talk and unanswerable questions are made from."""

from __future__ import annotations

import random


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


# --- opinions

LIKES: dict[str, tuple[str, ...]] = {
    "I am a small model, so I do not drink {x}.": _split(
        "tea|coffee|milk|water|wine|beer|lemonade|orange juice|cocoa|apple juice|hot chocolate|cider"
    ),
    "I am a small model, so I do not eat {x}.": _split(
        "pizza|bread|cheese|apples|cake|chocolate|pasta|rice|soup|bananas|potatoes|eggs|meat|ice cream|carrots|honey"
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
        "|war|money|flowers|the sea|mountains|maths|history|poetry|the weather|jazz|dancing|cars|people|children|humans"
        "|robots|computers|science|religion|Mondays|trains|ships|travelling|cooking|swimming|reading|the colour red"
        "|the president|rich people|the police|teachers|love|old houses|cities|the night|Christmas|holidays|sport|theatre"
    ),
}
LIKE_WORDINGS = ("Do you like {x}?", "Do you like {x}?", "do you like {x}", "Do you love {x}?", "What do you think about {x}?",
                  "Do you enjoy {x}?", "What is your opinion on {x}?", "Is {x} good?", "Don't you like {x}?",
                  "What do you think of {x}?", "Do you hate {x}?")  # fmt: skip
FAVOURITES = _split(
    "colour|food|animal|book|film|song|city|country|number|season|drink|day|fruit|game|sport|word|flower|band|language"
    "|place|month|joke|subject|movie|color|music|dish|bird|painter|poem|hobby|car|holiday|story|letter|planet|tree"
)
CHOICES = _split(
    "tea or coffee|cats or dogs|summer or winter|red or blue|the sea or the mountains|books or films|bread or rice"
    "|morning or evening|football or tennis|pizza or pasta|apples or pears|trains or planes|gold or silver|beer or wine"
    "|the city or the country|milk or water|sun or rain|day or night|sweet or salty food|Android or iPhone|Mac or Windows"
)

# --- troubles

PETS = _split("dog|cat|horse|rabbit|hamster|parrot|bird|cow|goat|hen|fish|turtle|puppy|kitten|pony|guinea pig|sheep")
PET_STATES = _split("is sick|does not eat|is ill|is hurt|is limping|coughs a lot|is very weak|has a bad eye|has lost hair"
                     "|ate chocolate|does not drink|has fleas")  # fmt: skip
PET_LOST = _split("ran away|is lost|is missing|did not come home")
KIN = _split("mother|father|brother|sister|friend|son|daughter|aunt|uncle|neighbour|grandmother|grandfather|wife|husband"
              "|boss|teacher|child|colleague|boyfriend|girlfriend|cousin")  # fmt: skip
KIN_SICK = _split("is sick|is ill|has a fever|has a cough|has a cold|has a headache|fell down|broke an arm|hurt a knee"
                   "|feels dizzy")  # fmt: skip
KIN_SAD = _split("is sad|is angry with me|is lonely|is nervous|does not talk to me|is crying|is upset|lost a job"
                  "|is worried|shouts at me|is jealous|feels bad|is bored")  # fmt: skip
THINGS = _split("phone|computer|car|bike|laptop|washing machine|watch|television|lamp|radio|fridge|door|window|heating"
                 "|camera|printer|chair|clock|boiler|oven|shoe|umbrella|tablet|router|piano|tap|toilet|sink|lift")  # fmt: skip
THING_STATES = _split("is broken|does not work|stopped working|makes a strange noise|is too old|does not start|fell down"
                       "|is wet|is stuck")  # fmt: skip
GARDEN = _split("rose|tree|tomatoes|flowers|plants|grass|herbs|apple tree|tulips|houseplant")
ASKS = ("What should I do?", "What should I do?", "What can I do?", "Can you help?", "Help!", "", "what do i do", "Any ideas?")

# --- what is outside Skiff's world

START = _split("Ab|Al|Bar|Bel|Bor|Cal|Cor|Dal|Dor|El|Fal|Far|Gal|Gor|Hal|Hol|Il|Jar|Kal|Kor|Lan|Lor|Mal|Mar|Mor|Nar|Nor"
                "|Or|Pal|Quen|Ral|Sal|Sor|Tal|Tor|Ul|Val|Vor|Wel|Yar|Zan|Zel|Bri|Cra|Dru|Fli|Gru|Kra|Plo|Sko|Tri|Vla")  # fmt: skip
MIDDLE = _split("a|e|i|o|u|ba|de|fi|go|la|li|mo|na|ni|ra|ro|si|ta|to|va|vi|zo|do|ke|mi")
END = _split("n|r|s|nia|land|dor|ville|ton|burg|mar|ria|lis|vik|sk|ra|ndo|ck|tta|gan|lin|mond|stan|via|lle|x|th")

ABOUT_NAMES = _split(
    "What is the capital of {n}?|Where is {n}?|Who is {n}?|What is {n}?|Tell me about {n}.|Who was {n} {m}?|Who is {n} {m}?"
    "|What language do people speak in {n}?|On which continent is {n}?|Is {n} a city in {m}?|Who invented the {l}?"
    "|What is a {l} used for?|What is the symbol for {l}?|Who wrote {n}?|What kind of animal is a {l}?|Do you know {n} {m}?"
    "|What is the Spanish word for {l}?|What is the opposite of {l}?|What do you know about {n}?|Describe {n}."
    "|When was {n} {m} born?|Where does {n} {m} live?|Is {n} the capital of {m}?|What is a {l}?|What is {l}?|Where is {n} {m}?"
    "|Have you heard of {n}?|What does {l} mean?|Which country has the capital {n}?|What is the currency of {n}?"
    "|How do I get to {n}?|What happened in {n}?|Name a city in {n}.|Who is the king of {n}?|In which country is {n}?"
)
ABOUT_COUNTRIES = _split(
    "How many people live in {c}?|What is the population of {c}?|Who is the president of {c}?|Who is the king of {c}?"
    "|What is the highest mountain in {c}?|What is the longest river in {c}?|What is the flag of {c}?|How large is {c}?"
    "|What is the weather in {c}?|How old is {c}?|Who rules {c}?|What do people eat in {c}?|How far is it to {c}?"
    "|What time is it in {c}?|How do I get to {c}?|When did {c} become a country?|What is the history of {c}?"
    "|Who won the war in {c}?|Is {c} a rich country?|What is the second largest city in {c}?|What is famous in {c}?"
    "|How cold is it in {c}?|Which airport is in {c}?|What is the national dish of {c}?|Who is the best singer in {c}?"
    "|How many rivers are in {c}?|What colours are on the flag of {c}?|Which party rules {c}?|What is the area of {c}?"
)
ABOUT_ANIMALS = _split(
    "How long does {a} live?|How fast can {a} run?|How heavy is {a}?|How big is {a}?|How many teeth does {a} have?"
    "|How much does {a} cost?|Where does {a} sleep?|What is the Latin name of {a}?|How many bones does {a} have?"
    "|How far can {a} see?|How old can {a} get?"
)
UNKNOWN = _split(
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


def made_up_word(rng: random.Random) -> str:
    """A word in small letters that means nothing."""
    middle = "".join(rng.choice(MIDDLE) for _ in range(rng.randint(0, 2)))
    return (rng.choice(START) + middle + rng.choice(END)).lower()
