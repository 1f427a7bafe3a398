"""What people make and do: inventions, books, jobs, tools, materials."""

from __future__ import annotations

from core.skiff.world.tables import Table, parse_rows

INVENTORS = Table(
    name="inventors",
    rows=parse_rows("""
        the telephone=Alexander Graham Bell; dynamite=Alfred Nobel; the steam locomotive=Richard Trevithick
        the phonograph=Thomas Edison; the light bulb=Thomas Edison; the World Wide Web=Tim Berners-Lee; the diesel engine=Rudolf Diesel
        the printing press=Johannes Gutenberg; the miner's safety lamp=Humphry Davy; Braille writing=Louis Braille
        the saxophone=Adolphe Sax; the mercury barometer=Evangelista Torricelli; the lightning rod=Benjamin Franklin
        the electric battery=Alessandro Volta; the cotton gin=Eli Whitney; the revolver=Samuel Colt
        the Rubik's Cube=Erno Rubik; Morse code=Samuel Morse; the ballpoint pen=Laszlo Biro; the jet engine=Frank Whittle
        the safety razor=King Gillette; the pendulum clock=Christiaan Huygens; the smallpox vaccine=Edward Jenner
        the hovercraft=Christopher Cockerell; the stethoscope=Rene Laennec; the zeppelin=Ferdinand von Zeppelin
        the mechanical reaper=Cyrus McCormick; the air brake=George Westinghouse; the spinning jenny=James Hargreaves
        the vacuum flask=James Dewar; the safety elevator=Elisha Otis; basketball=James Naismith
        the Geiger counter=Hans Geiger; the motor car=Karl Benz; the theremin=Leon Theremin
    """),
    statements=(
        "{s} was invented by {o}.",
        "{o} invented {s}.",
        "The inventor of {s} was {o}.",
        "{o} was the inventor of {s}.",
        "It was {o} who invented {s}.",
        "We owe {s} to {o}.",
        "{o} is known as the inventor of {s}.",
        "{o} is famous for inventing {s}.",
        "{s} was first thought of by {o}.",
        "The name of the inventor of {s} is {o}.",
        "The inventor of {s} was called {o}.",
        "The idea of {s} came from {o}.",
        "For {s}, we thank {o}.",
        "{s} goes back to {o}.",
        "If you ask who invented {s}, the answer is {o}.",
    ),
    heldout_statements=("{s} is an invention of {o}.", "The person who invented {s} was {o}."),
    negations=(
        "{s} was not invented by {o}.",
        "{o} did not invent {s}.",
        "The inventor of {s} was not {o}.",
        "{o} was not the inventor of {s}.",
        "It was not {o} who invented {s}.",
    ),
    questions=(
        "Who invented {s}?",
        "Who was the inventor of {s}?",
        "By whom was {s} invented?",
        "Tell me who invented {s}.",
        "Which person invented {s}?",
        "Name the inventor of {s}.",
        "To whom do we owe {s}?",
        "Do you know who invented {s}?",
        "Do you know the inventor of {s}?",
        "Give me the inventor of {s}.",
        "Can you tell me who invented {s}?",
        "I want to know who invented {s}.",
        "{s} was invented by whom?",
        "The inventor of {s} was who?",
        "Which inventor gave us {s}?",
        "What is the name of the inventor of {s}?",
        "Who first thought of {s}?",
        "Who had the idea of {s}?",
        "Say who invented {s}.",
        "Please name the inventor of {s}.",
        "Which man invented {s}?",
        "Whom should we thank for {s}?",
        "I need the name of the inventor of {s}.",
    ),
    heldout_questions=(
        "Who is the inventor of {s}?",
        "Whose invention was {s}?",
        "Do you know who came up with {s}?",
    ),
    answer="{s} was invented by {o}.",
    yes_no=(
        "Did {o} invent {s}?",
        "Was {s} invented by {o}?",
        "Was {o} the inventor of {s}?",
        "Was it {o} who invented {s}?",
        "Was the inventor of {s} {o}?",
        "Do we owe {s} to {o}?",
        "Is {o} known as the inventor of {s}?",
    ),
    no_answer="{s} was not invented by {o}.",
    reverse_questions=(
        "What did {o} invent?",
        "What is {o} famous for inventing?",
        "Which thing did {o} invent?",
        "Tell me what {o} invented.",
        "{o} invented what?",
    ),
)

AUTHORS = Table(
    name="authors",
    rows=parse_rows("""
        Hamlet=William Shakespeare; Macbeth=William Shakespeare; Othello=William Shakespeare
        Romeo and Juliet=William Shakespeare; King Lear=William Shakespeare; The Tempest=William Shakespeare
        Oliver Twist=Charles Dickens; David Copperfield=Charles Dickens; Great Expectations=Charles Dickens
        A Christmas Carol=Charles Dickens; Pride and Prejudice=Jane Austen; Emma=Jane Austen; Persuasion=Jane Austen
        Sense and Sensibility=Jane Austen; Faust=Johann Wolfgang von Goethe; Don Quixote=Miguel de Cervantes
        War and Peace=Leo Tolstoy; Anna Karenina=Leo Tolstoy; Crime and Punishment=Fyodor Dostoevsky
        The Idiot=Fyodor Dostoevsky; Les Miserables=Victor Hugo; The Three Musketeers=Alexandre Dumas
        The Count of Monte Cristo=Alexandre Dumas; Madame Bovary=Gustave Flaubert; Candide=Voltaire
        The Trial=Franz Kafka; The Castle=Franz Kafka; The Metamorphosis=Franz Kafka; The Divine Comedy=Dante Alighieri
        The Odyssey=Homer; The Iliad=Homer; The Aeneid=Virgil; Jane Eyre=Charlotte Bronte
        Wuthering Heights=Emily Bronte; Frankenstein=Mary Shelley; Dracula=Bram Stoker; Ulysses=James Joyce
        Treasure Island=Robert Louis Stevenson; Robinson Crusoe=Daniel Defoe; Gulliver's Travels=Jonathan Swift
        The Jungle Book=Rudyard Kipling; Peter Pan=J. M. Barrie; The Hobbit=J. R. R. Tolkien
        Animal Farm=George Orwell; Moby-Dick=Herman Melville; The Adventures of Tom Sawyer=Mark Twain
        The Old Man and the Sea=Ernest Hemingway; The Great Gatsby=F. Scott Fitzgerald; The Time Machine=H. G. Wells
        The War of the Worlds=H. G. Wells; Around the World in Eighty Days=Jules Verne; The Little Mermaid=Hans Andersen
        The Ugly Duckling=Hans Andersen; Alice in Wonderland=Lewis Carroll; The Canterbury Tales=Geoffrey Chaucer
        Paradise Lost=John Milton; The Seagull=Anton Chekhov; The Cherry Orchard=Anton Chekhov; A Doll's House=Henrik Ibsen
        Pygmalion=George Bernard Shaw; Middlemarch=George Eliot; The Picture of Dorian Gray=Oscar Wilde
    """),
    statements=(
        "{s} was written by {o}.",
        "{o} wrote {s}.",
        "The author of {s} is {o}.",
        "{o} is the author of {s}.",
        "It was {o} who wrote {s}.",
        "{s} is a work by {o}.",
        "One of the works of {o} is {s}.",
        "The writer of {s} was {o}.",
        "{s} is by {o}.",
        "The author of {s} was {o}.",
        "The name of the author of {s} is {o}.",
        "The work called {s} is by {o}.",
        "If you ask who wrote {s}, the answer is {o}.",
        "{s} is one of the works of {o}.",
        "The writer of {s} is called {o}.",
    ),
    heldout_statements=("{s} came from the pen of {o}.", "The person who wrote {s} was {o}."),
    negations=(
        "{s} was not written by {o}.",
        "{o} did not write {s}.",
        "{o} is not the author of {s}.",
        "The author of {s} is not {o}.",
        "It was not {o} who wrote {s}.",
    ),
    questions=(
        "Who wrote {s}?",
        "Who is the author of {s}?",
        "By whom was {s} written?",
        "Tell me who wrote {s}.",
        "Name the author of {s}.",
        "Which author wrote {s}?",
        "Who was the writer of {s}?",
        "Give me the author of {s}.",
        "Who is the writer of {s}?",
        "Do you know who wrote {s}?",
        "Can you tell me who wrote {s}?",
        "I want to know who wrote {s}.",
        "The author of {s} is who?",
        "What is the name of the author of {s}?",
        "Which writer wrote {s}?",
        "Say who wrote {s}.",
        "Please name the writer of {s}.",
        "I am reading {s}. Who wrote it?",
        "Who was the author of {s}?",
        "Remind me who wrote {s}.",
        "I need the name of the author of {s}.",
        "Which famous writer wrote {s}?",
        "{s}: who is the author?",
    ),
    heldout_questions=(
        "Who was {s} written by?",
        "Whose work is {s}?",
        "Do you know who the author of {s} is?",
    ),
    answer="{s} was written by {o}.",
    yes_no=(
        "Did {o} write {s}?",
        "Was {s} written by {o}?",
        "Is {o} the author of {s}?",
        "Is {s} by {o}?",
        "Was it {o} who wrote {s}?",
        "Is the author of {s} {o}?",
        "Is {s} a work by {o}?",
    ),
    no_answer="{s} was not written by {o}.",
)

JOBS = Table(
    name="jobs",
    rows=parse_rows("""
        baker=bakes bread; teacher=teaches pupils; pilot=flies planes; farmer=grows crops; doctor=treats sick people
        barber=cuts hair; carpenter=makes things of wood; fisherman=catches fish; painter=paints pictures
        writer=writes books; singer=sings songs; dancer=dances on a stage; cook=prepares meals; plumber=mends pipes
        dentist=looks after teeth; vet=treats sick animals; gardener=looks after gardens; miner=digs for coal
        tailor=makes clothes; butcher=sells meat; florist=sells flowers; judge=decides cases in court
        soldier=serves in the army; sailor=works on a ship; shepherd=looks after sheep; postman=delivers letters
        photographer=takes photographs; translator=translates texts; librarian=lends books to readers
        astronaut=travels into space; architect=designs buildings; firefighter=puts out fires; beekeeper=keeps bees
        optician=sells glasses; cobbler=mends shoes; jeweller=sells rings and necklaces; bricklayer=builds walls
        mechanic=repairs cars; waiter=serves guests at tables; potter=makes pots of clay; blacksmith=forges iron
        bus driver=drives a bus; astronomer=studies the stars; programmer=writes computer programs
        locksmith=makes keys; glazier=puts glass into windows
    """),
    statements=(
        "{a_s} is someone who {o}.",
        "{a_s} {o}.",
        "{a_s} is a person who {o}.",
        "The {s} is the one who {o}.",
        "Every day, {a_s} {o}.",
        "At work, {a_s} {o}.",
        "Someone who {o} is called {a_s}.",
        "A person who {o} is {a_s}.",
        "{a_s} usually {o}.",
        "The {s} {o}.",
        "All day long, {a_s} {o}.",
        "{a_s} works as someone who {o}.",
        "{a_s} is the person who {o}.",
        "A person who {o} is called {a_s}.",
        "If someone {o}, that person is {a_s}.",
    ),
    heldout_statements=("For a living, {a_s} {o}.", "We say {s} for a person who {o}."),
    negations=(
        "{a_s} is not someone who {o}.",
        "{a_s} is not a person who {o}.",
        "Someone who {o} is not called {a_s}.",
        "A person who {o} is not called {a_s}.",
        "The {s} is not the one who {o}.",
    ),
    questions=(
        "What does {a_s} do?",
        "What is {a_s}?",
        "What does {a_s} do at work?",
        "What is the job of {a_s}?",
        "Tell me what {a_s} does.",
        "What does {a_s} do all day?",
        "What is the work of {a_s}?",
        "What does the {s} do?",
        "Do you know what {a_s} does?",
        "I want to know what {a_s} does.",
        "Explain what {a_s} is.",
        "Explain the job of {a_s}.",
        "Describe the work of {a_s}.",
        "What is the task of {a_s}?",
        "What do you do as {a_s}?",
        "Say what {a_s} does.",
        "How does {a_s} earn money?",
        "How does {a_s} spend the day?",
        "Tell me about the job of {a_s}.",
        "Why do people need {a_s}?",
        "If I become {a_s}, what will I do?",
        "Please tell me what {a_s} does all day.",
        "{a_s} is someone who does what?",
    ),
    heldout_questions=(
        "What does {a_s} do for a living?",
        "What kind of work does {a_s} do?",
        "Could you tell me what {a_s} does?",
    ),
    answer="{a_s} is someone who {o}.",
    yes_no=(
        "Is {a_s} someone who {o}?",
        "Is {a_s} a person who {o}?",
        "Is someone who {o} called {a_s}?",
        "Is {a_s} the one who {o}?",
        "Is the {s} the one who {o}?",
        "Is a person who {o} called {a_s}?",
        "Is someone who {o} {a_s}?",
    ),
    no_answer="{a_s} is not someone who {o}.",
    reverse_questions=("What do you call a person who {o}?", "Who {o}?", "What is someone who {o} called?"),
    also={
        "writer": frozenset({"writes computer programs"}), "soldier": frozenset({"works on a ship"}),
        "sailor": frozenset({"catches fish"}), "fisherman": frozenset({"works on a ship"}),
        "farmer": frozenset({"looks after sheep", "keeps bees", "sells meat"}),
        "shepherd": frozenset({"grows crops"}), "doctor": frozenset({"looks after teeth"}),
        "dentist": frozenset({"treats sick people"}), "butcher": frozenset({"prepares meals"}),
        "baker": frozenset({"prepares meals"}), "cook": frozenset({"bakes bread"}),
        "gardener": frozenset({"grows crops"}), "carpenter": frozenset({"builds walls"}),
        "teacher": frozenset({"lends books to readers"}), "potter": frozenset({"paints pictures"}),
        "glazier": frozenset({"builds walls"}), "blacksmith": frozenset({"makes keys"}),
        "translator": frozenset({"writes books"}), "singer": frozenset({"dances on a stage"}),
        "florist": frozenset({"looks after gardens"}),
    },
)  # fmt: skip

USES = Table(
    name="uses",
    rows=parse_rows("""
        hammer=drive in nails; saw=cut wood; spade=dig holes; broom=sweep the floor; needle=sew clothes; pen=write
        ruler=measure lines; kettle=boil water; oven=bake cakes; key=open a lock; comb=tidy the hair
        toothbrush=clean the teeth; towel=dry the hands; umbrella=keep off the rain; clock=tell the time
        thermometer=measure temperature; compass=find north; telescope=look at the stars; camera=take photographs
        lamp=light a room; fridge=keep food cold; bucket=carry water; ladder=climb to high places; axe=chop down trees
        screwdriver=turn screws; paintbrush=paint walls; iron=press shirts; mop=wash the floor
        microscope=look at tiny things; calculator=do sums; corkscrew=open wine bottles; pillow=rest the head
        rake=gather leaves; rope=tie things together; scale=weigh things; whistle=call a dog; wheelbarrow=move soil
        bell=call people to church; candle=give light at a dinner; eraser=remove pencil lines; lawnmower=cut the grass
        spoon=eat soup; fishing rod=catch fish
    """),
    statements=(
        "{a_s} is used to {o}.",
        "People use {a_s} to {o}.",
        "You use {a_s} to {o}.",
        "With {a_s} you can {o}.",
        "{a_s} helps people to {o}.",
        "To {o}, you use {a_s}.",
        "If you want to {o}, you use {a_s}.",
        "The purpose of {a_s} is to {o}.",
        "{a_s} is for this: to {o}.",
        "{a_s} is there to {o}.",
        "{a_s} serves to {o}.",
        "People buy {a_s} to {o}.",
        "{a_s} is made to {o}.",
        "The use of {a_s} is to {o}.",
        "You can {o} with {a_s}.",
        "When people want to {o}, they use {a_s}.",
    ),
    heldout_statements=("{a_s} is what you need to {o}.", "We take {a_s} in order to {o}."),
    negations=(
        "{a_s} is not used to {o}.",
        "People do not use {a_s} to {o}.",
        "The purpose of {a_s} is not to {o}.",
        "You do not use {a_s} to {o}.",
        "{a_s} is not there to {o}.",
    ),
    questions=(
        "What is {a_s} used for?",
        "What do people use {a_s} for?",
        "What is the purpose of {a_s}?",
        "What can you do with {a_s}?",
        "Tell me what {a_s} is used for.",
        "What is {a_s} for?",
        "Why do people use {a_s}?",
        "What is the use of {a_s}?",
        "What does {a_s} help you to do?",
        "What do you need {a_s} for?",
        "Why do I need {a_s}?",
        "Explain what {a_s} is for.",
        "Do you know what {a_s} is used for?",
        "Can you tell me what {a_s} is for?",
        "I want to know what {a_s} is for.",
        "What can {a_s} be used for?",
        "Why would somebody buy {a_s}?",
        "What is the main use of {a_s}?",
        "What is {a_s} meant for?",
        "Say what {a_s} is used for.",
        "What is {a_s} made for?",
        "When do people use {a_s}?",
        "What is the point of {a_s}?",
    ),
    heldout_questions=(
        "For what is {a_s} used?",
        "What would I use {a_s} for?",
        "What does one do with {a_s}?",
    ),
    answer="{a_s} is used to {o}.",
    yes_no=(
        "Is {a_s} used to {o}?",
        "Do people use {a_s} to {o}?",
        "Do you use {a_s} to {o}?",
        "Is {a_s} there to {o}?",
        "Is {a_s} made to {o}?",
        "Does {a_s} help people to {o}?",
        "Is the purpose of {a_s} to {o}?",
    ),
    no_answer="{a_s} is not used to {o}.",
    reverse_questions=(
        "What do you use to {o}?",
        "Which thing is used to {o}?",
        "What do people use to {o}?",
        "With what do you {o}?",
    ),
    also={
        "pen": frozenset({"do sums"}), "lamp": frozenset({"give light at a dinner"}), "candle": frozenset({"light a room"}),
        "oven": frozenset({"boil water"}), "axe": frozenset({"cut wood"}), "saw": frozenset({"chop down trees"}),
        "needle": frozenset({"find north"}), "compass": frozenset({"measure lines"}), "bell": frozenset({"tell the time", "call a dog"}),
        "mop": frozenset({"sweep the floor"}), "rake": frozenset({"sweep the floor", "dig holes"}),
        "clock": frozenset({"call people to church"}), "whistle": frozenset({"call people to church"}),
        "bucket": frozenset({"wash the floor", "move soil"}), "spade": frozenset({"move soil", "gather leaves"}),
        "wheelbarrow": frozenset({"carry water", "gather leaves"}), "broom": frozenset({"gather leaves"}),
        "towel": frozenset({"tidy the hair", "rest the head", "wash the floor"}), "camera": frozenset({"look at the stars"}),
        "telescope": frozenset({"take photographs"}), "microscope": frozenset({"look at the stars", "take photographs"}),
        "rope": frozenset({"climb to high places"}), "kettle": frozenset({"carry water"}),
        "calculator": frozenset({"tell the time"}), "ladder": frozenset({"paint walls"}),
    },
)  # fmt: skip

MATERIALS = Table(
    name="materials",
    rows=parse_rows("""
        window=glass; book page=paper; newspaper=paper; car tyre=rubber; candle=wax; tree trunk=wood; log=wood
        wooden table=wood; nail=iron; anvil=iron; horseshoe=iron; brick=clay; flowerpot=clay; woollen jumper=wool
        mirror=glass; windowpane=glass; light bulb=glass; snowman=snow; icicle=ice; sandcastle=sand
        silk scarf=silk; leather shoe=leather; saddle=leather; T-shirt=cotton; tin can=metal; frying pan=metal
        spanner=metal; millstone=stone; plastic bag=plastic
        tablecloth=cloth; flag=cloth; sail=cloth; loaf of bread=flour; omelette=eggs; cheese=milk
        butter=milk; wine=grapes; cider=apples; wedding ring=gold; iceberg=ice; igloo=snow
        rubber boot=rubber
    """),
    statements=(
        "{a_s} is made of {o}.",
        "The material of {a_s} is {o}.",
        "People make {a_s} out of {o}.",
        "{a_s} is usually made of {o}.",
        "{a_s} consists of {o}.",
        "You need {o} to make {a_s}.",
        "{o} is what {a_s} is made of.",
        "To make {a_s}, people use {o}.",
        "{a_s} is made out of {o}.",
        "The main material of {a_s} is {o}.",
        "The material used for {a_s} is {o}.",
        "{a_s} is normally made of {o}.",
        "The material that {a_s} is made of is {o}.",
        "{a_s} is a thing made of {o}.",
        "What makes up {a_s} is {o}.",
    ),
    heldout_statements=("{a_s} is mostly {o}.", "{o} is the stuff of which {a_s} is made."),
    negations=(
        "{a_s} is not made of {o}.",
        "The material of {a_s} is not {o}.",
        "{a_s} does not consist of {o}.",
        "{a_s} is not usually made of {o}.",
        "People do not make {a_s} out of {o}.",
    ),
    questions=(
        "What is {a_s} made of?",
        "What material is {a_s} made of?",
        "What does {a_s} consist of?",
        "Which material do people use to make {a_s}?",
        "Tell me what {a_s} is made of.",
        "What do people make {a_s} out of?",
        "What is the material of {a_s}?",
        "What is the main material of {a_s}?",
        "Which material is {a_s} made of?",
        "Which material is used for {a_s}?",
        "What do you need to make {a_s}?",
        "Do you know what {a_s} is made of?",
        "Can you tell me what {a_s} is made of?",
        "I want to know what {a_s} is made of.",
        "{a_s} is made of what?",
        "{a_s} consists of what?",
        "Name the material of {a_s}.",
        "Give me the material of {a_s}.",
        "Say what {a_s} is made of.",
        "To make {a_s}, what do people use?",
        "The material of {a_s} is what?",
        "Please tell me what {a_s} consists of.",
        "What goes into the making of {a_s}?",
    ),
    heldout_questions=(
        "From what is {a_s} made?",
        "What stuff is {a_s} made of?",
        "Of what does {a_s} consist?",
    ),
    answer="{a_s} is made of {o}.",
    yes_no=(
        "Is {a_s} made of {o}?",
        "Is {a_s} usually made of {o}?",
        "Does {a_s} consist of {o}?",
        "Is {a_s} made out of {o}?",
        "Is {o} the material of {a_s}?",
        "Is the material of {a_s} {o}?",
        "Do people make {a_s} out of {o}?",
    ),
    no_answer="{a_s} is not made of {o}.",
    mass=frozenset({"cheese", "butter", "wine", "cider"}),
    also={
        "igloo": frozenset({"ice"}), "iceberg": frozenset({"snow"}), "icicle": frozenset({"snow"}),
        "snowman": frozenset({"ice"}), "nail": frozenset({"metal"}), "anvil": frozenset({"metal"}),
        "horseshoe": frozenset({"metal"}), "wedding ring": frozenset({"metal"}), "tin can": frozenset({"iron"}),
        "frying pan": frozenset({"iron"}), "spanner": frozenset({"iron"}), "book page": frozenset({"wood"}),
        "newspaper": frozenset({"wood"}), "flag": frozenset({"cotton", "silk", "plastic", "paper"}),
        "sail": frozenset({"cotton", "plastic"}), "tablecloth": frozenset({"cotton", "paper", "plastic", "silk"}),
        "T-shirt": frozenset({"cloth"}), "silk scarf": frozenset({"cloth"}), "woollen jumper": frozenset({"cloth"}),
        "window": frozenset({"wood", "plastic", "metal"}), "windowpane": frozenset({"plastic", "sand"}),
        "mirror": frozenset({"metal", "sand"}), "light bulb": frozenset({"metal", "plastic"}),
        "car tyre": frozenset({"metal"}), "flowerpot": frozenset({"plastic", "stone", "metal"}),
        "loaf of bread": frozenset({"milk", "eggs"}), "omelette": frozenset({"milk"}), "saddle": frozenset({"metal"}),
        "rubber boot": frozenset({"plastic"}), "brick": frozenset({"stone", "sand"}), "plastic bag": frozenset({"paper"}),
        "wooden table": frozenset({"metal"}), "candle": frozenset({"cotton"}),
    },
)  # fmt: skip

PEOPLE: tuple[Table, ...] = (INVENTORS, AUTHORS, JOBS, USES, MATERIALS)
