"""Nature and food: chemical elements, classes of animals, their young and their sounds, colours, kinds of food."""

from __future__ import annotations

from core.skiff.world.tables import Table, parse_rows

ELEMENTS = Table(
    name="elements",
    rows=parse_rows("""
        hydrogen=H; helium=He; lithium=Li; beryllium=Be; boron=B; carbon=C; nitrogen=N; oxygen=O; fluorine=F; neon=Ne
        sodium=Na; magnesium=Mg; aluminium=Al; silicon=Si; phosphorus=P; sulphur=S; chlorine=Cl; argon=Ar; potassium=K
        calcium=Ca; titanium=Ti; chromium=Cr; manganese=Mn; iron=Fe; cobalt=Co; nickel=Ni; copper=Cu; zinc=Zn
        arsenic=As; bromine=Br; krypton=Kr; silver=Ag; tin=Sn; iodine=I; xenon=Xe; caesium=Cs; barium=Ba; tungsten=W
        platinum=Pt; gold=Au; mercury=Hg; lead=Pb; bismuth=Bi; radium=Ra; uranium=U; plutonium=Pu
    """),
    statements=(
        "The symbol for {s} is {o}.",
        "The chemical symbol for {s} is {o}.",
        "{o} is the symbol for {s}.",
        "{o} is the chemical symbol for {s}.",
        "The element {s} has the symbol {o}.",
        "The symbol of the element {s} is {o}.",
        "{s} has the symbol {o}.",
        "{o} stands for the element {s}.",
        "In chemistry, {s} is written as {o}.",
        "The chemical symbol of {s} is {o}.",
        "The symbol of {s} is {o}.",
        "In chemistry, the symbol for {s} is {o}.",
        "The short name for {s} in chemistry is {o}.",
        "In the periodic table, {s} has the symbol {o}.",
        "{o} is the symbol of the element {s}.",
        "The element with the symbol {o} is {s}.",
    ),
    heldout_statements=("Chemists write {s} as {o}.", "The letters for the element {s} are {o}."),
    negations=(
        "The symbol for {s} is not {o}.",
        "{o} is not the symbol for {s}.",
        "The chemical symbol for {s} is not {o}.",
        "The element {s} does not have the symbol {o}.",
        "{o} does not stand for the element {s}.",
    ),
    questions=(
        "What is the symbol for {s}?",
        "What is the chemical symbol for {s}?",
        "Which symbol does the element {s} have?",
        "What is the symbol of the element {s}?",
        "Tell me the chemical symbol for {s}.",
        "Name the symbol for {s}.",
        "How is {s} written in chemistry?",
        "Give me the symbol for {s}.",
        "Do you know the symbol for {s}?",
        "The symbol for {s} is what?",
        "Which symbol is used for {s}?",
        "What is the symbol for the element {s}?",
        "In chemistry, what is the symbol for {s}?",
        "How do you write {s} in chemistry?",
        "What is the short name for {s} in chemistry?",
        "I want to know the symbol for {s}.",
        "Can you tell me the chemical symbol for {s}?",
        "Please tell me the symbol of {s}.",
        "Which symbol belongs to {s}?",
        "What is the symbol of {s} in the periodic table?",
        "Say the chemical symbol of {s}.",
        "I need the symbol of the element {s}.",
        "Remind me of the symbol for {s}.",
    ),
    heldout_questions=(
        "Which chemical symbol stands for {s}?",
        "What symbol does {s} have?",
        "What do chemists write for {s}?",
    ),
    answer="The symbol for {s} is {o}.",
    yes_no=(
        "Is {o} the symbol for {s}?",
        "Is the symbol for {s} {o}?",
        "Is {o} the chemical symbol for {s}?",
        "Does {s} have the symbol {o}?",
        "Is {o} the symbol of the element {s}?",
        "Does {o} stand for the element {s}?",
        "In chemistry, is {s} written as {o}?",
    ),
    no_answer="The symbol for {s} is not {o}.",
    reverse_questions=(
        "Which element has the symbol {o}?",
        "What element does {o} stand for?",
        "Which element is written as {o}?",
        "{o} is the symbol for which element?",
        "What does the symbol {o} mean?",
        "Which element does the symbol {o} belong to?",
        "Name the element with the symbol {o}.",
        "{o} is which element?",
        "In the periodic table, what is {o}?",
    ),
)

ANIMALS = Table(
    name="animals",
    rows=parse_rows("""
        dog=mammal; cat=mammal; horse=mammal; cow=mammal; pig=mammal; sheep=mammal; goat=mammal; lion=mammal
        tiger=mammal; bear=mammal; wolf=mammal; fox=mammal; elephant=mammal; monkey=mammal; rabbit=mammal; mouse=mammal
        whale=mammal; dolphin=mammal; bat=mammal; deer=mammal; giraffe=mammal; camel=mammal; squirrel=mammal
        kangaroo=mammal; otter=mammal; hedgehog=mammal; zebra=mammal; donkey=mammal; leopard=mammal; seal=mammal
        owl=bird; eagle=bird; sparrow=bird; pigeon=bird; duck=bird; goose=bird; swan=bird; parrot=bird; penguin=bird
        crow=bird; hawk=bird; robin=bird; ostrich=bird; stork=bird; gull=bird; woodpecker=bird; peacock=bird
        swallow=bird; flamingo=bird; pelican=bird; raven=bird; turkey=bird
        salmon=fish; trout=fish; shark=fish; tuna=fish; cod=fish; herring=fish; carp=fish; pike=fish; goldfish=fish
        sardine=fish; eel=fish; mackerel=fish; anchovy=fish
        bee=insect; ant=insect; butterfly=insect; fly=insect; mosquito=insect; beetle=insect; wasp=insect; moth=insect
        grasshopper=insect; dragonfly=insect; ladybird=insect; cockroach=insect; cricket=insect; termite=insect
        snake=reptile; lizard=reptile; crocodile=reptile; turtle=reptile; tortoise=reptile; alligator=reptile
        gecko=reptile; iguana=reptile; cobra=reptile; chameleon=reptile; viper=reptile; python=reptile
        frog=amphibian; toad=amphibian; newt=amphibian; salamander=amphibian
    """),
    statements=(
        "{a_s} is {a_o}.",
        "{pl_s} are {pl_o}.",
        "All {pl_s} are {pl_o}.",
        "Every {s} is {a_o}.",
        "The {s} is {a_o}.",
        "{a_s} is a kind of {o}.",
        "{a_s} belongs to the {pl_o}.",
        "One kind of {o} is the {s}.",
        "The {s} belongs to the {pl_o}.",
        "The {s} is a kind of {o}.",
        "{pl_s} belong to the {pl_o}.",
        "As an animal, {a_s} is {a_o}.",
        "{a_s} is a type of {o}.",
        "Each {s} is {a_o}.",
        "{a_s} is one of the {pl_o}.",
        "In biology, {a_s} is {a_o}.",
    ),
    heldout_statements=("The animal called {s} is {a_o}.", "{pl_s} are counted among the {pl_o}."),
    negations=(
        "{a_s} is not {a_o}.",
        "{pl_s} are not {pl_o}.",
        "The {s} is not {a_o}.",
        "{a_s} is not a kind of {o}.",
        "{pl_s} do not belong to the {pl_o}.",
    ),
    questions=(
        "What kind of animal is {a_s}?",
        "What class of animal is {a_s}?",
        "What kind of animal is the {s}?",
        "To which class of animals does {a_s} belong?",
        "What type of animal is {a_s}?",
        "What kind of animals are {pl_s}?",
        "Tell me what kind of animal {a_s} is.",
        "Is {a_s} a mammal, a bird, a fish, an insect, a reptile or an amphibian?",
        "Which kind of animal is {a_s}?",
        "What kind of animal would you call {a_s}?",
        "Do you know what kind of animal {a_s} is?",
        "Tell me what {pl_s} are.",
        "I want to know what kind of animal {a_s} is.",
        "As an animal, what is {a_s}?",
        "As animals, what are {pl_s}?",
        "Can you tell me what class {a_s} is in?",
        "Say what kind of animal {a_s} is.",
        "Name the class of the {s}.",
        "What is the animal class of {pl_s}?",
        "Are {pl_s} mammals, birds, fish, insects, reptiles or amphibians?",
        "Please tell me what type of animal {a_s} is.",
        "How would you class {a_s}?",
        "Explain what kind of animal {a_s} is.",
        "Which type of animals are {pl_s}?",
    ),
    heldout_questions=(
        "What sort of animal is {a_s}?",
        "Which class of animals do {pl_s} belong to?",
        "{a_s} is what kind of animal?",
    ),
    answer="{a_s} is {a_o}.",
    yes_no=(
        "Is {a_s} {a_o}?",
        "Are {pl_s} {pl_o}?",
        "Is the {s} {a_o}?",
        "Is {a_s} a kind of {o}?",
        "Does {a_s} belong to the {pl_o}?",
        "Do {pl_s} belong to the {pl_o}?",
        "Is every {s} {a_o}?",
    ),
    no_answer="{a_s} is not {a_o}.",
    plurals={
        "sheep": "sheep", "wolf": "wolves", "mouse": "mice", "deer": "deer", "goose": "geese", "salmon": "salmon",
        "trout": "trout", "tuna": "tuna", "cod": "cod", "carp": "carp", "pike": "pike", "goldfish": "goldfish",
        "mackerel": "mackerel", "fish": "fish",
    },
)  # fmt: skip

YOUNG = Table(
    name="young",
    rows=parse_rows("""
        dog=puppy; cat=kitten; cow=calf; horse=foal; sheep=lamb; goat=kid; pig=piglet; duck=duckling; goose=gosling
        hen=chick; bear=cub; frog=tadpole; swan=cygnet; deer=fawn; kangaroo=joey; owl=owlet; eagle=eaglet; hare=leveret
        butterfly=caterpillar; spider=spiderling; lion=cub; elephant=calf; whale=calf; seal=pup; wolf=pup; donkey=foal
        tiger=cub; zebra=foal; dolphin=calf; koala=joey; giraffe=calf; fly=maggot
    """),
    statements=(
        "A young {s} is called {a_o}.",
        "A baby {s} is called {a_o}.",
        "A young {s} is {a_o}.",
        "A baby {s} is {a_o}.",
        "The young of {a_s} is called {a_o}.",
        "The young of the {s} is {a_o}.",
        "{a_o} is a young {s}.",
        "{a_o} is the baby of {a_s}.",
        "The name for a baby {s} is {o}.",
        "When it is young, {a_s} is called {a_o}.",
        "The name of a young {s} is {o}.",
        "The young {s} is called {a_o}.",
        "A very young {s} is called {a_o}.",
        "The word for a young {s} is {o}.",
        "{a_o} is a baby {s}.",
        "Before it is fully grown, {a_s} is called {a_o}.",
    ),
    heldout_statements=("People call a young {s} {a_o}.", "The little one of {a_s} is called {a_o}."),
    negations=(
        "A young {s} is not called {a_o}.",
        "A baby {s} is not {a_o}.",
        "{a_o} is not a young {s}.",
        "A baby {s} is not called {a_o}.",
        "The young of {a_s} is not called {a_o}.",
    ),
    questions=(
        "What is a young {s} called?",
        "What is a baby {s} called?",
        "What do you call a young {s}?",
        "What is the young of {a_s} called?",
        "Tell me what a baby {s} is called.",
        "What is the name for a young {s}?",
        "Name the young of {a_s}.",
        "Give me the name for a young {s}.",
        "Which name does a young {s} have?",
        "What is the young of the {s} called?",
        "Do you know what a young {s} is called?",
        "Can you tell me what a baby {s} is called?",
        "A young {s} is called what?",
        "A baby {s} has which name?",
        "I want to know what a baby {s} is called.",
        "Say what a young {s} is called.",
        "What name do people give to a young {s}?",
        "When {a_s} is young, what is it called?",
        "Please tell me the name for a baby {s}.",
        "What is a very young {s} called?",
        "Which word means a young {s}?",
        "What is the name of the young of {a_s}?",
    ),
    heldout_questions=(
        "What do you call a baby {s}?",
        "What do people call the young of {a_s}?",
        "What is the word for a baby {s}?",
    ),
    answer="A young {s} is called {a_o}.",
    yes_no=(
        "Is a young {s} called {a_o}?",
        "Is a baby {s} {a_o}?",
        "Is {a_o} a young {s}?",
        "Is {a_o} a baby {s}?",
        "Is a young {s} {a_o}?",
        "Is a baby {s} called {a_o}?",
        "Is the young of {a_s} called {a_o}?",
    ),
    no_answer="A young {s} is not called {a_o}.",
    also={
        "dog": frozenset({"pup"}), "wolf": frozenset({"cub", "puppy"}),
        "seal": frozenset({"puppy"}), "goose": frozenset({"chick"}), "duck": frozenset({"chick"}),
        "swan": frozenset({"chick"}), "owl": frozenset({"chick"}), "eagle": frozenset({"chick"}),
        "deer": frozenset({"calf", "kid"}), "dolphin": frozenset({"pup"}), "zebra": frozenset({"calf"}),
    },
)  # fmt: skip

SOUNDS = Table(
    name="sounds",
    rows=parse_rows("""
        dog=barks; cat=meows; cow=moos; horse=neighs; sheep=bleats; pig=oinks; duck=quacks; lion=roars; frog=croaks
        owl=hoots; bee=buzzes; snake=hisses; wolf=howls; donkey=brays; hen=clucks; goose=honks; crow=caws
        pigeon=coos; elephant=trumpets; mouse=squeaks; turkey=gobbles; cricket=chirps
    """),
    statements=(
        "{a_s} {o}.",
        "The {s} {o}.",
        "Every {s} {o}.",
        "{a_s} is an animal that {o}.",
        "The {s} is the animal that {o}.",
        "When it makes a sound, {a_s} {o}.",
        "{a_s} usually {o}.",
        "On a farm or in the wild, {a_s} {o}.",
        "{a_s} often {o}.",
        "If {a_s} makes a noise, it {o}.",
        "Each {s} {o}.",
        "You can hear how {a_s} {o}.",
        "Everyone knows that {a_s} {o}.",
        "Of all animals, it is {a_s} that {o}.",
        "When you hear {a_s}, it {o}.",
    ),
    heldout_statements=("The animal called {s} {o}.", "{a_s} makes itself heard: it {o}."),
    negations=(
        "{a_s} is not an animal that {o}.",
        "The {s} is not the animal that {o}.",
        "It is not {a_s} that {o}.",
        "The animal that {o} is not {a_s}.",
        "It is not the {s} that {o}.",
    ),
    questions=(
        "What sound does {a_s} make?",
        "Which sound does {a_s} make?",
        "What noise does {a_s} make?",
        "Tell me the sound of {a_s}.",
        "What does {a_s} sound like?",
        "How does {a_s} sound?",
        "What is the sound of {a_s}?",
        "What sound does the {s} make?",
        "Do you know what sound {a_s} makes?",
        "Tell me what sound {a_s} makes.",
        "What does {a_s} do when it makes a sound?",
        "Which sound is made by {a_s}?",
        "Name the sound of {a_s}.",
        "Give me the sound that {a_s} makes.",
        "Can you tell me how {a_s} sounds?",
        "I want to know what sound {a_s} makes.",
        "{a_s} makes which sound?",
        "Say what noise {a_s} makes.",
        "What does {a_s} say?",
        "What does the {s} say?",
        "What is the noise of {a_s} like?",
        "Please describe the sound of {a_s}.",
        "Explain how {a_s} sounds.",
    ),
    heldout_questions=(
        "Which noise does the {s} make?",
        "What kind of sound comes from {a_s}?",
        "What sound do you hear from {a_s}?",
    ),
    answer="{a_s} {o}.",
    yes_no=(
        "Is {a_s} an animal that {o}?",
        "Is it {a_s} that {o}?",
        "Is the {s} the animal that {o}?",
        "Is it the {s} that {o}?",
        "Is {a_s} the animal that {o}?",
        "Is the animal that {o} {a_s}?",
        "Can it be {a_s} that {o}?",
    ),
    no_answer="{a_s} is not an animal that {o}.",
    also={
        "goose": frozenset({"hisses"}), "cat": frozenset({"hisses"}), "dog": frozenset({"howls"}),
        "pig": frozenset({"squeaks"}), "elephant": frozenset({"roars"}), "duck": frozenset({"honks"}),
        "crow": frozenset({"croaks"}), "lion": frozenset({"hisses"}), "pigeon": frozenset({"hoots"}),
        "owl": frozenset({"hisses"}), "turkey": frozenset({"clucks"}), "cricket": frozenset({"buzzes"}),
        "mouse": frozenset({"chirps"}), "frog": frozenset({"chirps"}), "wolf": frozenset({"barks"}),
    },
)  # fmt: skip

COLOURS = Table(
    name="colours",
    rows=parse_rows("""
        grass=green; snow=white; coal=black; blood=red; milk=white; the sky on a clear day=blue; the sun=yellow
        banana=yellow; lemon=yellow; ripe tomato=red; carrot=orange; strawberry=red; cucumber=green; pumpkin=orange
        chocolate=brown; coffee=brown; spinach=green; salt=white; flamingo=pink; polar bear=white; crow=black
        raven=black; frog=green; canary=yellow; elephant=grey; ruby=red; emerald=green; sapphire=blue
        fire engine=red; cherry=red; pea=green; lettuce=green; raspberry=red; blueberry=blue; swan=white; soot=black
        plum=purple; aubergine=purple; mustard=yellow; broccoli=green; flour=white; tree trunk=brown; rice=white
        ash=grey; piglet=pink; lavender=purple
    """),
    statements=(
        "The colour of {a_s} is {o}.",
        "{a_s} is {o}.",
        "{a_s} has the colour {o}.",
        "{a_s} is usually {o}.",
        "{a_s} looks {o}.",
        "The usual colour of {a_s} is {o}.",
        "{o} is the colour of {a_s}.",
        "As everyone can see, {a_s} is {o}.",
        "By colour, {a_s} is {o}.",
        "Usually, {a_s} is {o}.",
        "The normal colour of {a_s} is {o}.",
        "Everyone knows that {a_s} is {o}.",
        "Most often, {a_s} is {o}.",
        "In a picture, {a_s} is painted {o}.",
        "The colour that {a_s} has is {o}.",
    ),
    heldout_statements=("If you look at {a_s}, you see {o}.", "{o} is the usual colour of {a_s}."),
    negations=(
        "The colour of {a_s} is not {o}.",
        "{a_s} is not {o}.",
        "{o} is not the colour of {a_s}.",
        "{a_s} does not look {o}.",
        "The usual colour of {a_s} is not {o}.",
    ),
    questions=(
        "What colour is {a_s}?",
        "What is the colour of {a_s}?",
        "Which colour does {a_s} have?",
        "What is the usual colour of {a_s}?",
        "Tell me the colour of {a_s}.",
        "Which colour is {a_s}?",
        "Name the colour of {a_s}.",
        "Give me the colour of {a_s}.",
        "Do you know the colour of {a_s}?",
        "Can you tell me what colour {a_s} is?",
        "Tell me what colour {a_s} is.",
        "The colour of {a_s} is what?",
        "I want to know the colour of {a_s}.",
        "Which colour is usual for {a_s}?",
        "In which colour would you paint {a_s}?",
        "Say what colour {a_s} is.",
        "What is the normal colour of {a_s}?",
        "What is the color of {a_s}?",
        "Which color is {a_s}?",
        "Please name the colour of {a_s}.",
        "Think of {a_s}: what is its colour?",
        "What is {a_s} like, what colour is it?",
        "I need the colour of {a_s}.",
    ),
    heldout_questions=(
        "{a_s} has what colour?",
        "What colour does {a_s} have?",
        "What colour do you see when you look at {a_s}?",
    ),
    answer="The colour of {a_s} is {o}.",
    yes_no=(
        "Is {a_s} {o}?",
        "Is the colour of {a_s} {o}?",
        "Is {o} the colour of {a_s}?",
        "Does {a_s} look {o}?",
        "Is {a_s} usually {o}?",
        "Is the usual colour of {a_s} {o}?",
        "Does {a_s} have the colour {o}?",
    ),
    no_answer="The colour of {a_s} is not {o}.",
    mass=frozenset({
        "grass", "snow", "coal", "blood", "milk", "chocolate", "coffee", "spinach", "salt", "lettuce", "soot",
        "mustard", "broccoli", "flour", "rice", "ash", "lavender",
    }),
    also={
        "the sun": frozenset({"orange", "white", "red"}), "lemon": frozenset({"green"}),
        "banana": frozenset({"green", "brown"}), "the sky on a clear day": frozenset({"grey", "white"}),
        "frog": frozenset({"brown", "red", "yellow", "blue"}), "chocolate": frozenset({"white", "black"}),
        "coffee": frozenset({"black"}), "polar bear": frozenset({"yellow"}), "swan": frozenset({"black"}),
        "plum": frozenset({"red", "yellow", "blue"}), "rice": frozenset({"brown", "black"}),
        "tree trunk": frozenset({"grey", "white"}), "raspberry": frozenset({"pink", "black"}),
        "cherry": frozenset({"black", "yellow"}), "pumpkin": frozenset({"yellow", "green"}),
        "carrot": frozenset({"purple", "red", "yellow"}), "blueberry": frozenset({"purple", "black"}),
        "elephant": frozenset({"brown"}), "lettuce": frozenset({"red"}), "mustard": frozenset({"brown"}),
        "flamingo": frozenset({"red", "orange", "white"}), "sapphire": frozenset({"pink", "yellow"}),
        "ash": frozenset({"white", "black"}), "piglet": frozenset({"black", "brown", "white"}),
        "salt": frozenset({"pink"}), "flour": frozenset({"brown"}), "aubergine": frozenset({"black", "white"}),
        "ruby": frozenset({"pink"}), "lavender": frozenset({"blue", "pink"}), "coal": frozenset({"brown", "grey"}),
        "pea": frozenset({"yellow"}), "grass": frozenset({"yellow", "brown"}), "cucumber": frozenset({"yellow"}),
        "broccoli": frozenset({"purple"}), "fire engine": frozenset({"yellow"}), "crow": frozenset({"grey"}),
        "strawberry": frozenset({"white"}), "ripe tomato": frozenset({"yellow", "orange", "purple"}),
    },
)  # fmt: skip

FOODS = Table(
    name="foods",
    rows=parse_rows("""
        apple=fruit; banana=fruit; pear=fruit; orange=fruit; lemon=fruit; cherry=fruit; grape=fruit; peach=fruit
        plum=fruit; strawberry=fruit; mango=fruit; pineapple=fruit; melon=fruit; apricot=fruit; fig=fruit
        raspberry=fruit; kiwi=fruit; lime=fruit; papaya=fruit
        carrot=vegetable; potato=vegetable; onion=vegetable; cabbage=vegetable; spinach=vegetable; turnip=vegetable
        broccoli=vegetable; leek=vegetable; cauliflower=vegetable; lettuce=vegetable; radish=vegetable
        parsnip=vegetable; asparagus=vegetable; celery=vegetable; beetroot=vegetable
        tea=drink; coffee=drink; lemonade=drink; beer=drink; wine=drink; cocoa=drink; cider=drink; orange juice=drink
        beef=meat; pork=meat; lamb=meat; ham=meat; bacon=meat; veal=meat; mutton=meat; venison=meat
        cheddar=cheese; brie=cheese; parmesan=cheese; mozzarella=cheese; gouda=cheese; feta=cheese; camembert=cheese
        wheat=cereal; rye=cereal; barley=cereal; rice=cereal; maize=cereal; millet=cereal
        almond=nut; hazelnut=nut; walnut=nut; cashew=nut; pistachio=nut; pecan=nut
        cinnamon=spice; pepper=spice; nutmeg=spice; saffron=spice; turmeric=spice; cumin=spice; paprika=spice
    """),
    statements=(
        "{a_s} is a kind of {o}.",
        "{a_s} is a type of {o}.",
        "One kind of {o} is {a_s}.",
        "The food called {s} is a kind of {o}.",
        "{a_s} counts as {a_o}.",
        "As a food, {a_s} is a kind of {o}.",
        "In the kitchen, {a_s} is a kind of {o}.",
        "A well-known kind of {o} is {a_s}.",
        "{a_s} belongs to this group of foods: {o}.",
        "{a_s} is one kind of {o}.",
        "If you buy {a_s}, you get a kind of {o}.",
        "On the table, {a_s} is a kind of {o}.",
        "As a kind of food, {a_s} is {a_o}.",
        "In a shop, {a_s} counts as {a_o}.",
        "The word {s} names a kind of {o}.",
        "{a_s} can be called a kind of {o}.",
    ),
    heldout_statements=("Cooks know that {a_s} is a kind of {o}.", "Among foods, {a_s} is a sort of {o}."),
    negations=(
        "{a_s} is not a kind of {o}.",
        "{a_s} is not a type of {o}.",
        "{a_s} does not count as {a_o}.",
        "The food called {s} is not a kind of {o}.",
        "As a food, {a_s} is not a kind of {o}.",
    ),
    questions=(
        "What kind of food is {a_s}?",
        "What type of food is {a_s}?",
        "To which group of foods does {a_s} belong?",
        "Which kind of food is {a_s}?",
        "Tell me what kind of food {a_s} is.",
        "As a food, what is {a_s}?",
        "Is {a_s} a fruit, a vegetable, a drink, a meat, a cheese, a cereal, a nut or a spice?",
        "Which type of food is {a_s}?",
        "Do you know what kind of food {a_s} is?",
        "Can you tell me what type of food {a_s} is?",
        "What is {a_s} a kind of?",
        "{a_s} is a kind of what?",
        "I want to know what kind of food {a_s} is.",
        "Say what kind of food {a_s} is.",
        "In the kitchen, what is {a_s}?",
        "What does {a_s} count as?",
        "To what kind of food does {a_s} belong?",
        "Please tell me what {a_s} is as a food.",
        "If I buy {a_s}, what kind of food do I get?",
        "Name the kind of food that {a_s} is.",
        "How would you class {a_s} as a food?",
        "Explain what kind of food {a_s} is.",
        "What kind of thing to eat or drink is {a_s}?",
    ),
    heldout_questions=(
        "What sort of food is {a_s}?",
        "{a_s} is what kind of food?",
        "Which group of foods is {a_s} in?",
    ),
    answer="{a_s} is a kind of {o}.",
    yes_no=(
        "Is {a_s} a kind of {o}?",
        "Is {a_s} a type of {o}?",
        "Does {a_s} count as {a_o}?",
        "Is {a_s} one kind of {o}?",
        "Is the food called {s} a kind of {o}?",
        "As a food, is {a_s} a kind of {o}?",
        "Is {a_s} {a_o}?",
    ),
    no_answer="{a_s} is not a kind of {o}.",
    mass=frozenset({
        "spinach", "broccoli", "lettuce", "asparagus", "celery", "tea", "coffee", "lemonade", "beer", "wine", "cocoa",
        "cider", "orange juice", "beef", "pork", "lamb", "ham", "bacon", "veal", "mutton", "venison", "cheddar", "brie",
        "parmesan", "mozzarella", "gouda", "feta", "camembert", "wheat", "rye", "barley", "rice", "maize",
        "millet", "cinnamon", "pepper", "nutmeg", "saffron", "turmeric", "cumin", "paprika", "meat", "cheese",
        "cauliflower",
    }),
    also={
        "maize": frozenset({"vegetable"}), "pepper": frozenset({"vegetable", "fruit"}),
        "cocoa": frozenset({"spice"}), "nutmeg": frozenset({"nut"}), "almond": frozenset({"fruit"}),
    },
)  # fmt: skip

NATURE: tuple[Table, ...] = (ELEMENTS, ANIMALS, YOUNG, SOUNDS, COLOURS, FOODS)
