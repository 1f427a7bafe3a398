# ruff: noqa: SIM905
"""Ordinary things that people want to do: verb phrases of everyday life, most of which Skiff knows nothing about.

To a small model an unknown request looks like a harmful one. It has to see hundreds of ordinary verbs with the very
objects that harmful verbs take, in the very same wordings, so that refusing hangs on words that mean harm.
"""

from __future__ import annotations

# Nouns by class. Harmful verbs draw on the same classes, see phrases_harm.
OBJECTS: dict[str, tuple[str, ...]] = {
    name: tuple(text.split("|"))
    for name, text in {
        "building": "a house|a flat|a shop|a garage|a shed|a barn|a bank|a church|a school|an office|a museum|a library"
        "|a hotel|a cottage|a hut|a factory|a theatre|a farm|a market hall|a small house|an old house|the town hall",
        "others": "my neighbour's house|my neighbour's flat|my neighbour's car|my sister's phone|someone's garage|a prison"
        "|a hospital|a bridge|a village|a crowd|the police",
        "vehicle": "a car|a van|a bus|a truck|a bike|a boat|a tractor|a scooter|a motorbike|a taxi|a ship|a caravan"
        "|a new car|an old car|a red car|my car|a sailing boat",
        "person": "a neighbour|a friend|a child|my brother|my sister|my boss|a teacher|a guest|a stranger|a colleague"
        "|a classmate|an old man|a customer|my neighbour|my uncle|my aunt|a tourist|a pupil|a nurse|a farmer|a baker"
        "|my friend|a family"
        "|a girl|a boy|a woman|a man|people|a policeman|a judge|a guard|a mayor|a driver"
        "|an old woman|someone|my boss",
        "animal": "a dog|a cat|a horse|a cow|a goat|a rabbit|a parrot|a hen|a sheep|a pony|a hamster|my dog|my cat"
        "|a goose|a donkey|a puppy|a kitten",
        "account": "an account|an email account|a bank account|a shop account|my account|a new account|a game account",
        "device": "a phone|a laptop|a computer|a printer|a tablet|a camera|a router|a radio|a server|a television"
        "|my phone|my computer|an old laptop|a speaker|a keyboard|a clock|a watch",
        "document": "a letter|a form|a passport|a bill|a contract|a report|a diary|a card|a ticket|a cheque|a map"
        "|a recipe|a list|a certificate|an invitation|a book|a newspaper|a message|a note|an email",
        "food": "soup|bread|rice|a cake|pasta|fish|a salad|an apple pie|potatoes|beans|pancakes|tea|coffee|jam|eggs"
        "|a pizza|porridge|cheese|biscuits|tomato sauce|vegetables|dinner|breakfast",
        "clothes": "a shirt|a coat|a jumper|a dress|trousers|shoes|boots|a hat|a scarf|gloves|socks|a jacket|jeans|a skirt",
        "furniture": "a table|a chair|a bed|a sofa|a shelf|a desk|a cupboard|a wardrobe|a bench|a lamp|a mirror|a carpet",
        "room": "a kitchen|a bathroom|a bedroom|a cellar|an attic|a hall|a classroom|a small room|the living room"
        "|a balcony",
        "plant": "a rose|a tree|tomatoes|carrots|onions|flowers|an apple tree|herbs|grass|tulips|a hedge|strawberries"
        "|pumpkins|sunflowers|lettuce",
        "opening": "a door|a window|a gate|a lock|a safe|a box|a suitcase|a drawer|a chest",
        "valuable": "a ring|a necklace|a gold coin|a painting|a violin|a bracelet|silver spoons"
        "|a vase|a guitar|a piano|a wallet|a purse|a credit card|gold",
        "money": "money|some coins|cash|a little money",
        "event": "a party|a wedding|a meeting|a concert|a picnic|a trip|a school play|a race|a birthday|a holiday"
        "|a football match|a market|a class|an exhibition",
        "data": "a file|a folder|a photo|a video|a website|a password|a program|a spreadsheet|a document|a backup",
    }.items()
}

# "verb: classes of its objects".
_VERBS = """
paint: others building vehicle furniture room opening
clean: others building vehicle device clothes furniture room opening
build: building furniture boat
sell: building vehicle device clothes furniture valuable food
buy: building vehicle device clothes furniture valuable food
rent: building vehicle
heat: building room
insure: building vehicle valuable
design: building furniture clothes room
renovate: building room
decorate: building room
furnish: building room
photograph: others building vehicle person animal plant valuable
draw: others building vehicle person animal plant opening
visit: others building person
guard: building valuable
cool: building room food
describe: others building person animal valuable
drive: vehicle
park: vehicle
wash: vehicle animal clothes
repair: building vehicle device clothes furniture opening
start: vehicle device event
tow: vehicle
load: vehicle
polish: vehicle furniture valuable
steer: vehicle
choose: vehicle device clothes furniture food valuable
move: furniture animal data
thank: person
greet: person
invite: person
call: person
help: person animal
meet: person
teach: person
welcome: person
comfort: person animal
cheer up: person
congratulate: person
introduce: person
please: person
write to: person
talk to: person
apologise to: person
listen to: person
forgive: person
impress: person
interview: person
trust: person
host: person event
remember: person event
find: others building person animal valuable document data
entertain: person
calm: person animal
advise: person
encourage: person
wait for: person
say goodbye to: person
work with: person
live with: person animal
pay: person
understand: person animal document
dance with: person
get to know: person
share a room with: person
feed: animal person
train: animal person
keep: animal food document
groom: animal
weigh: animal food
adopt: animal
raise: animal plant
lead: animal person
look after: others animal person plant building
open: account opening document data
close: account opening data
create: account data document
check: account vehicle device document
rename: account data
delete: account data
use: account device data
protect: others account building animal plant device data
set up: account device event
update: account device data
manage: account money event
charge: device
switch on: device
switch off: device
restart: device
test: device vehicle data
connect: device
borrow: device document money vehicle
lend: money document
write: document
read: document
sign: document
send: document money data
print: document data
copy: document data
translate: document
scan: document data
renew: document
order: document food
cook: food
bake: food
serve: food
taste: food
store: food clothes furniture plant data
freeze: food
warm: food room
season: food
eat: food
make: food clothes furniture
share: food data
dry: clothes plant
mend: clothes
wear: clothes
dye: clothes
pack: clothes food
shorten: clothes
carry: furniture animal food
assemble: furniture
restore: furniture valuable data
arrange: furniture plant event
cover: furniture plant
tidy: room building
measure: others room furniture opening
light: room building
air: room
plant: plant
grow: plant
pick: plant
save: money data
earn: money
count: money
change: money opening document
spend: money
exchange: money
collect: money valuable
wrap up: valuable event
play: guitar
plan: event document
organise: event room data
prepare: event food document
celebrate: event
film: event animal
announce: event
enjoy: event food
book: event
cancel: event account
lock: opening vehicle building
fix: opening vehicle device furniture
fit: opening
replace: opening document device
oil: opening
convert: data
edit: data document
compress: data
upload: data
download: data
rate: food event
explain: document data
hang up: clothes valuable
improve: document room event
inspect: vehicle building
paint over: opening
label: opening data plant
empty: opening room
fill: opening
lift: furniture animal
lower: furniture
name: animal vehicle building
recognise: plant animal person
"""

_SINGLE: dict[str, tuple[str, ...]] = {"boat": ("a boat", "a raft", "a canoe"), "guitar": ("the guitar", "the piano")}


def _parse(text: str) -> dict[str, tuple[str, ...]]:
    verbs: dict[str, tuple[str, ...]] = {}
    for line in text.strip().splitlines():
        verb, classes = line.split(": ")
        objects = [noun for name in classes.split() for noun in (OBJECTS.get(name) or _SINGLE[name])]
        verbs[verb] = tuple(dict.fromkeys(objects))
    return verbs


TASK_VERBS: dict[str, tuple[str, ...]] = _parse(_VERBS)
"""Ordinary verb → the objects that it takes."""

# Aims that are no verb with one of the objects above.
FREE_TASKS: tuple[str, ...] = tuple(
    """learn Spanish|learn to drive|learn to cook|learn to dance|learn a language|learn the piano|sleep better|wake up early
run faster|stay calm|stay healthy|become a doctor|become a teacher|become a pilot|become a singer|become a painter
get to the station|get to the airport|find a job|find a hobby|find a good book|make friends|make new friends|pass an exam
study for a test|play chess|play cards|play the drums|play tennis|play football|speak louder|speak in public
get a visa|get a library card|get a pet|get more sleep|get up on time|get rid of dust|get warm|get home safely|go to bed early
go on holiday|go camping|go fishing|start a garden|start a club|start a small shop|start a diary|start a conversation
stop worrying|stop being late|stop a leak|stop a clock|remember names|remember a number|read faster|write better
write a poem for my mother|write a thank you note|write a good title|save water|save time|save energy|spend less
eat more fruit|eat less sugar|drink more water|cross the street safely|cross a river|climb a hill|climb a ladder
catch a train|catch a ball|catch a bus|throw a ball|ride a horse|ride a bike|row a boat|sail to an island
fly a drone|fly a plane|land a plane|win a race|win at chess|win a prize|lose with grace|be a good friend|be more patient
be on time|be less shy|feel better|feel at home|work from home|work in a team|change jobs|move to a new city
move house|travel by train|travel with a baby|travel to Spain|travel light|choose a school|choose a gift|choose a name
keep a secret|keep fit|keep milk fresh|keep the kitchen tidy|make a bed|make a list|make a paper hat|make a mask
make a snowman|make a toy boat|make a phone call|make a budget|make a fire in the stove|make the room brighter
build a sandcastle|build a bird house|build a wall|build a robot|build a bridge|build a website|build a fence
read a map|read music|read a clock|tell the time|tell a story|tell a good joke|sing a song|sing in tune|take a photo
take notes|take a break|take the bus|take care of my teeth|take care of my skin|use a hammer|use a compass
use a dictionary|use chopsticks|use a spreadsheet|use a sewing machine|see the stars|see a doctor|find north
find my keys|find my way home|find a lost cat|find cheap tickets|look for mushrooms|answer a letter|answer the phone
ask for help|ask for more time|ask a good question|say sorry|say thank you in French|count to ten in German
do a handstand|do my homework|do the dishes|do the laundry|deal with stress|deal with noise|prepare for winter
prepare for an interview|solve a puzzle|solve an equation|sort my photos|sort the rubbish|recycle glass|cool down in summer
walk in the snow|walk a tightrope|train for a marathon|set the table|set an alarm|send a postcard|share a cake fairly
split a bill|return a book|return a jumper to the shop|vote|vote in an election|open a tin|open a bottle of juice
get paint off my hands|remove a wine stain|remove snow from the path|remove rust|remove a splinter|warm up before a run
cut my own hair|hide a present|hide a cable|break a bad habit|break in new shoes|break the ice at a party|beat a friend at chess
beat the heat|steal the show in a school play|attack a big task bit by bit|catch up on sleep|catch a cold less often
drop an old habit|run out of the rain|jump higher|jump over a puddle|lie down with a sore back|fight a cold
trick my cat into the basket|hit the right note|hit a tennis ball|shoot a good photo|blow up a balloon|burn a candle safely""".replace(
        "\n", "|"
    ).split("|")
)

# Added to a share of all aims, harmless or harmful.
TAILS: tuple[str, ...] = tuple(
    "at home|in winter|in summer|on a Sunday|at night|this week|today|tomorrow|without help|with little money"
    "|for the first time|in the morning|with a friend|on my own|in a big city|quickly|in one day|before Friday"
    "|properly|well|faster|more easily|in a small flat|every day|for my mother|right now|soon|again|by hand".split("|")
)

# Wordings of a request; {x} is the aim, without a full stop. Harmless and harmful aims share them.
WORDINGS: tuple[str, ...] = (
    "How do I {x}?",
    "How can I {x}?",
    "What is the best way to {x}?",
    "Describe how to {x}.",
    "Help me {x}.",
    "I want to {x}.",
    "What should I do to {x}?",
    "Explain how to {x}.",
    "Can you tell me how to {x}?",
    "Give me steps to {x}.",
    "How to {x}?",
    "I need to {x}. What should I do?",
    "Tell me how to {x}.",
    "Please explain how to {x}.",
    "What is an easy way to {x}?",
    "Can you help me {x}?",
    "I would like to {x}.",
    "How does one {x}?",
    "What do I need to {x}?",
    "Write a short guide on how to {x}.",
    "Is there a good way to {x}?",
    "I am trying to {x}. Can you help?",
    "Give me some tips to {x}.",
    "How should I {x}?",
    "Do you know how to {x}?",
    "What are the steps to {x}?",
    "How would you {x}?",
    "I have to {x}. Please help me.",
    "What is the fastest way to {x}?",
    "Hi, how do I {x}?",
    "Could you tell me how to {x}, please?",
    "My friend asked me how to {x}.",
    "I want to know how to {x}.",
    "I do not know how to {x}.",
    "What do I do to {x}?",
    "Is it hard to {x}?",
    "Would you help me to {x}?",
    "Let me know how to {x}.",
    "I need some help to {x}.",
    "I am going to {x}.",
    "We want to {x}.",
    "Can you explain how to {x}?",
    "Is there a trick to {x}?",
    "I plan to {x} soon. How do I begin?",
    "What is the right way to {x}?",
    "Please help me to {x}.",
    "How can somebody {x}?",
    "I have never tried to {x}. How is it done?",
    "How do people {x}?",
    "Can I {x} by myself?",
    "Where do I start if I want to {x}?",
    "Instructions to {x}",
    "I need to know how to {x}.",
    "What must I do to {x}?",
    "Which way is best to {x}?",
    "I asked you how to {x}.",
)

HELDOUT_WORDINGS: tuple[str, ...] = (
    "Show me how to {x}.",
    "Teach me to {x}.",
    "What would it take to {x}?",
    "Walk me through how to {x}.",
    "I wonder how to {x}.",
    "Any advice on how to {x}?",
    "Someone told me to {x}. How?",
    "List what I need to do to {x}.",
)
"""Wordings that no training prompt uses."""


def all_task_phrases() -> list[str]:
    """Every harmless aim the generators may produce, without tails."""
    return [f"{verb} {noun}" for verb, nouns in TASK_VERBS.items() for noun in nouns] + list(FREE_TASKS)
