"""Nature and food: chemical elements, classes of animals, their young and their sounds, colours, kinds of food."""

from __future__ import annotations

from core.skiff.facts_table import Table, parse_rows

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
    ),
    heldout_statements=("Chemists write {s} as {o}.", "The letters for the element {s} are {o}."),
    negations=(
        "The symbol for {s} is not {o}.",
        "{o} is not the symbol for {s}.",
        "The chemical symbol for {s} is not {o}.",
    ),
    questions=(
        "What is the symbol for {s}?",
        "What is the chemical symbol for {s}?",
        "Which symbol does the element {s} have?",
        "What is the symbol of the element {s}?",
        "Tell me the chemical symbol for {s}.",
        "Name the symbol for {s}.",
        "How is {s} written in chemistry?",
    ),
    heldout_questions=(
        "Which chemical symbol stands for {s}?",
        "What symbol does {s} have?",
        "What do chemists write for {s}?",
    ),
    answer="The symbol for {s} is {o}.",
    yes_no=("Is {o} the symbol for {s}?", "Is the symbol for {s} {o}?", "Is {o} the chemical symbol for {s}?"),
    no_answer="The symbol for {s} is not {o}.",
    reverse_questions=("Which element has the symbol {o}?", "What element does {o} stand for?"),
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
    ),
    heldout_statements=("The animal called {s} is {a_o}.", "{pl_s} are counted among the {pl_o}."),
    negations=("{a_s} is not {a_o}.", "{pl_s} are not {pl_o}.", "The {s} is not {a_o}."),
    questions=(
        "What kind of animal is {a_s}?",
        "What class of animal is {a_s}?",
        "What kind of animal is the {s}?",
        "To which class of animals does {a_s} belong?",
        "What type of animal is {a_s}?",
        "What kind of animals are {pl_s}?",
        "Tell me what kind of animal {a_s} is.",
        "Is {a_s} a mammal, a bird, a fish, an insect, a reptile or an amphibian?",
    ),
    heldout_questions=(
        "What sort of animal is {a_s}?",
        "Which class of animals do {pl_s} belong to?",
        "{a_s} is what kind of animal?",
    ),
    answer="{a_s} is {a_o}.",
    yes_no=("Is {a_s} {a_o}?", "Are {pl_s} {pl_o}?", "Is the {s} {a_o}?"),
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
    ),
    heldout_statements=("People call a young {s} {a_o}.", "The little one of {a_s} is called {a_o}."),
    negations=("A young {s} is not called {a_o}.", "A baby {s} is not {a_o}.", "{a_o} is not a young {s}."),
    questions=(
        "What is a young {s} called?",
        "What is a baby {s} called?",
        "What do you call a young {s}?",
        "What is the young of {a_s} called?",
        "Tell me what a baby {s} is called.",
        "What is the name for a young {s}?",
        "Name the young of {a_s}.",
    ),
    heldout_questions=(
        "What do you call a baby {s}?",
        "What do people call the young of {a_s}?",
        "What is the word for a baby {s}?",
    ),
    answer="A young {s} is called {a_o}.",
    yes_no=("Is a young {s} called {a_o}?", "Is a baby {s} {a_o}?", "Is {a_o} a young {s}?"),
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
    ),
    heldout_statements=("The animal called {s} {o}.", "{a_s} makes itself heard: it {o}."),
    negations=(
        "{a_s} is not an animal that {o}.",
        "The {s} is not the animal that {o}.",
        "It is not {a_s} that {o}.",
    ),
    questions=(
        "What sound does {a_s} make?",
        "Which sound does {a_s} make?",
        "What noise does {a_s} make?",
        "Tell me the sound of {a_s}.",
        "What does {a_s} sound like?",
        "How does {a_s} sound?",
    ),
    heldout_questions=(
        "Which noise does the {s} make?",
        "What kind of sound comes from {a_s}?",
        "What sound do you hear from {a_s}?",
    ),
    answer="{a_s} {o}.",
    yes_no=("Is {a_s} an animal that {o}?", "Is it {a_s} that {o}?", "Is the {s} the animal that {o}?"),
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
    ),
    heldout_statements=("If you look at {a_s}, you see {o}.", "{o} is the usual colour of {a_s}."),
    negations=("The colour of {a_s} is not {o}.", "{a_s} is not {o}.", "{o} is not the colour of {a_s}."),
    questions=(
        "What colour is {a_s}?",
        "What is the colour of {a_s}?",
        "Which colour does {a_s} have?",
        "What is the usual colour of {a_s}?",
        "Tell me the colour of {a_s}.",
        "Which colour is {a_s}?",
        "Name the colour of {a_s}.",
    ),
    heldout_questions=(
        "{a_s} has what colour?",
        "What colour does {a_s} have?",
        "What colour do you see when you look at {a_s}?",
    ),
    answer="The colour of {a_s} is {o}.",
    yes_no=("Is {a_s} {o}?", "Is the colour of {a_s} {o}?", "Is {o} the colour of {a_s}?"),
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
    ),
    heldout_statements=("Cooks know that {a_s} is a kind of {o}.", "Among foods, {a_s} is a sort of {o}."),
    negations=("{a_s} is not a kind of {o}.", "{a_s} is not a type of {o}.", "{a_s} does not count as {a_o}."),
    questions=(
        "What kind of food is {a_s}?",
        "What type of food is {a_s}?",
        "To which group of foods does {a_s} belong?",
        "Which kind of food is {a_s}?",
        "Tell me what kind of food {a_s} is.",
        "As a food, what is {a_s}?",
        "Is {a_s} a fruit, a vegetable, a drink, a meat, a cheese, a cereal, a nut or a spice?",
    ),
    heldout_questions=(
        "What sort of food is {a_s}?",
        "{a_s} is what kind of food?",
        "Which group of foods is {a_s} in?",
    ),
    answer="{a_s} is a kind of {o}.",
    yes_no=("Is {a_s} a kind of {o}?", "Is {a_s} a type of {o}?", "Does {a_s} count as {a_o}?"),
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
