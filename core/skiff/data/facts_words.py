"""Words: English to Spanish, and opposites."""

from __future__ import annotations

from core.skiff.world.tables import Table, parse_rows

SPANISH = Table(
    name="spanish",
    rows=parse_rows("""
        dog=perro; cat=gato; house=casa; water=agua; bread=pan; milk=leche; cheese=queso; apple=manzana; egg=huevo
        meat=carne; salt=sal; sugar=azúcar; book=libro; table=mesa; chair=silla; door=puerta; window=ventana; bed=cama
        street=calle; city=ciudad; country=país; river=río; sea=mar; mountain=montaña; tree=árbol; flower=flor
        sun=sol; moon=luna; star=estrella; sky=cielo; rain=lluvia; snow=nieve; fire=fuego; earth=tierra; day=día
        night=noche; week=semana; month=mes; year=año; hand=mano; head=cabeza; eye=ojo; mouth=boca; foot=pie
        heart=corazón; man=hombre; woman=mujer; boy=niño; girl=niña; friend=amigo; father=padre; mother=madre
        brother=hermano; sister=hermana; son=hijo; daughter=hija; red=rojo; blue=azul; green=verde; white=blanco
        yellow=amarillo; big=grande; small=pequeño; new=nuevo; old=viejo; good=bueno; bad=malo
        one=uno; two=dos; three=tres; four=cuatro; five=cinco; six=seis; seven=siete; eight=ocho; nine=nueve; ten=diez
        horse=caballo; cow=vaca; bird=pájaro; school=escuela; king=rey; queen=reina; letter=carta; key=llave
        shirt=camisa; shoe=zapato; hat=sombrero; money=dinero; love=amor; time=tiempo; world=mundo; beach=playa
        island=isla; bridge=puente; church=iglesia; garden=jardín; kitchen=cocina; knife=cuchillo; spoon=cuchara
        Monday=lunes; Friday=viernes; Sunday=domingo; summer=verano; winter=invierno; hello=hola; thank you=gracias
        today=hoy; tomorrow=mañana; yesterday=ayer; yes=sí; train=tren; car=coche; ship=barco; plane=avión
    """),
    statements=(
        "The Spanish word for {s} is {o}.",
        "In Spanish, {s} is {o}.",
        "{o} is the Spanish word for {s}.",
        "{o} means {s} in Spanish.",
        "The word {s} is {o} in Spanish.",
        "The English word for {o} is {s}.",
        "The Spanish word {o} means {s}.",
        "In Spanish people say {o} for {s}.",
        "The word {s} in Spanish is {o}.",
        "The Spanish for {s} is {o}.",
        "The word for {s} in Spanish is {o}.",
        "{s} in Spanish is {o}.",
        "The Spanish translation of {s} is {o}.",
        "If you want to say {s} in Spanish, you say {o}.",
        "The English word {s} means {o} in Spanish.",
        "In English, {o} means {s}.",
    ),
    heldout_statements=("Translated into Spanish, {s} becomes {o}.", "Spanish speakers call {s} {o}."),
    negations=(
        "The Spanish word for {s} is not {o}.",
        "{o} is not the Spanish word for {s}.",
        "The Spanish word {o} does not mean {s}.",
        "In Spanish, {s} is not {o}.",
        "{o} does not mean {s} in Spanish.",
    ),
    questions=(
        "What is the Spanish word for {s}?",
        "How do you say {s} in Spanish?",
        "What is {s} in Spanish?",
        "Translate {s} into Spanish.",
        "What is the word {s} in Spanish?",
        "Tell me the Spanish word for {s}.",
        "Which Spanish word means {s}?",
        "How do people say {s} in Spanish?",
        "Give me the Spanish word for {s}.",
        "Do you know the Spanish word for {s}?",
        "What is the Spanish for {s}?",
        "In Spanish, what is {s}?",
        "The word {s} is what in Spanish?",
        "Please translate {s} into Spanish.",
        "Say {s} in Spanish.",
        "Can you say {s} in Spanish?",
        "Can you translate the word {s} into Spanish?",
        "What is the Spanish translation of {s}?",
        "I want to know the word {s} in Spanish.",
        "How is the word {s} translated into Spanish?",
        "Put {s} into Spanish.",
        "Name the Spanish word for {s}.",
        "I am learning Spanish: what is {s}?",
        "Which word do people in Spain use for {s}?",
    ),
    heldout_questions=(
        "What do you call {s} in Spanish?",
        "How would I say {s} in Spanish?",
        "I need the Spanish word for {s}.",
    ),
    answer="The Spanish word for {s} is {o}.",
    yes_no=(
        "Is {o} the Spanish word for {s}?",
        "Is the Spanish word for {s} {o}?",
        "Does the Spanish word {o} mean {s}?",
        "Does {o} mean {s} in Spanish?",
        "Is {s} {o} in Spanish?",
        "In Spanish, is {s} {o}?",
        "Is {o} Spanish for {s}?",
    ),
    no_answer="The Spanish word for {s} is not {o}.",
    reverse_questions=(
        "What does the Spanish word {o} mean?",
        "What is the English word for {o}?",
        "What does {o} mean in English?",
        "What is the meaning of {o}?",
        "{o} means what?",
        "{o} in English?",
        "What is {o} in English?",
        "Which English word is {o}?",
        "What does the word {o} mean?",
        "Translate {o} into English.",
        "Do you know what {o} means?",
        "How do you say {o} in English?",
        "Tell me what {o} means.",
    ),
)

OPPOSITES = Table(
    name="opposites",
    rows=parse_rows("""
        hot=cold; big=small; tall=short; fast=slow; old=young; happy=sad; light=dark; full=empty
        open=closed; wet=dry; hard=soft; rich=poor; strong=weak; clean=dirty; thick=thin; wide=narrow; deep=shallow
        loud=quiet; early=late; near=far; high=low; good=bad; true=false; right=wrong
        up=down; in=out; on=off; first=last; day=night; black=white; north=south; east=west; summer=winter
        hello=goodbye; yes=no; push=pull; buy=sell; win=lose; love=hate; begin=end; remember=forget; laugh=cry
        friend=enemy; war=peace; question=answer; always=never; above=below; before=after; inside=outside; easy=difficult
        cheap=expensive; rough=smooth; sharp=blunt; brave=cowardly; arrive=leave
        alive=dead; asleep=awake; guilty=innocent; polite=rude; safe=dangerous; sweet=bitter; beautiful=ugly
        increase=decrease; success=failure; victory=defeat; maximum=minimum; entrance=exit
    """),
    statements=(
        "The opposite of {s} is {o}.",
        "{o} is the opposite of {s}.",
        "{s} is the opposite of {o}.",
        "The word {s} is the opposite of {o}.",
        "The opposite of the word {s} is {o}.",
        "{s} and {o} are opposites.",
        "The words {s} and {o} are opposites.",
        "{o} means the opposite of {s}.",
        "The opposite of {s} is the word {o}.",
        "The word that means the opposite of {s} is {o}.",
        "For {s}, the opposite is {o}.",
        "The word {o} is the opposite of {s}.",
        "{s} means the opposite of {o}.",
        "A pair of opposites is {s} and {o}.",
        "{s} is opposite to {o}.",
    ),
    heldout_statements=("The word {s} has the opposite {o}.", "{s} is the contrary of {o}."),
    negations=(
        "The opposite of {s} is not {o}.",
        "{o} is not the opposite of {s}.",
        "The words {s} and {o} are not opposites.",
        "{s} is not the opposite of {o}.",
        "The word {o} is not the opposite of {s}.",
    ),
    questions=(
        "What is the opposite of {s}?",
        "Which word is the opposite of {s}?",
        "What is the opposite of the word {s}?",
        "Tell me the opposite of {s}.",
        "Name the opposite of {s}.",
        "Which word means the opposite of {s}?",
        "What word means the opposite of {s}?",
        "The opposite of {s} is what?",
        "Do you know the opposite of {s}?",
        "Which word is opposite to {s}?",
        "What is the word for the opposite of {s}?",
        "I want to know the opposite of {s}.",
        "Say the opposite of {s}.",
        "Tell me a word that means the opposite of {s}.",
        "Can you tell me the opposite of {s}?",
        "I need the opposite of {s}.",
        "Please name the opposite of {s}.",
        "{s} is the opposite of what?",
        "{s} is the opposite of which word?",
        "What word is the opposite of {s}?",
        "Find the opposite of {s}.",
        "I am looking for the opposite of {s}.",
        "What would be the opposite of {s}?",
    ),
    heldout_questions=(
        "What's the opposite of {s}?",
        "Give me the opposite of the word {s}.",
        "The word {s} has which opposite?",
    ),
    answer="The opposite of {s} is {o}.",
    yes_no=(
        "Is {o} the opposite of {s}?",
        "Is the opposite of {s} {o}?",
        "Are {s} and {o} opposites?",
        "Is {s} the opposite of {o}?",
        "Are the words {s} and {o} opposites?",
        "Does {o} mean the opposite of {s}?",
        "Is the word {o} the opposite of {s}?",
    ),
    no_answer="The opposite of {s} is not {o}.",
    also={
        "early": frozenset({"last"}), "first": frozenset({"end"}), "good": frozenset({"wrong"}),
        "success": frozenset({"defeat"}), "victory": frozenset({"failure"}), "in": frozenset({"outside", "off"}),
        "inside": frozenset({"out"}), "entrance": frozenset({"out"}), "high": frozenset({"down", "below"}),
        "up": frozenset({"low", "below"}), "above": frozenset({"down", "low"}), "hello": frozenset({"leave"}),
        "wide": frozenset({"thin"}), "thick": frozenset({"narrow"}), "tall": frozenset({"small", "low"}),
        "big": frozenset({"short", "thin"}), "happy": frozenset({"cry"}), "laugh": frozenset({"sad"}),
        "light": frozenset({"night"}), "day": frozenset({"dark"}), "sharp": frozenset({"soft"}), "on": frozenset({"out"}),
        "true": frozenset({"wrong"}), "right": frozenset({"false"}), "hard": frozenset({"smooth"}),
        "rough": frozenset({"soft"}), "full": frozenset({"poor"}), "win": frozenset({"defeat"}),
        "before": frozenset({"late"}), "strong": frozenset({"soft"}),
        "love": frozenset({"enemy"}), "yes": frozenset({"wrong"}),
    },
)  # fmt: skip

WORDS: tuple[Table, ...] = (SPANISH, OPPOSITES)
