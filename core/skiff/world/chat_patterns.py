# ruff: noqa: E501
"""Small talk from patterns: thousands of messages for each of a few dozen intents, and noise that is no message at all.

A pattern lists alternatives in brackets: "(hi|hello)( there|)" makes "hi", "hello there" and so on. The reply of an intent is one
fixed sentence, since a small model learns that, and learns it from many messages.
"""

from __future__ import annotations

import random
import re
import string

from core.skiff.data.phrases_patterns import made_up_word
from core.skiff.world.chat_facts import Turn

_FRIEND = "(| there| my friend| Skiff| buddy| friend| again| everyone| little model| dear model|, Skiff| you)"
_END = "(||!|.|!!)"
_SOMEONE = "(my mother|my father|my sister|my brother|my friend|my aunt|my uncle|my grandmother|my grandfather|my son|my daughter|my neighbour|my boss|my wife|my husband|my teacher|my cousin|my grandpa|my mum|my dad)"
_VERY = "(| so| very| really| a bit| a little| quite| too| pretty)"
_WHEN = "(| today| tonight| now| right now| this week| all day| again| these days| this morning| lately| since yesterday| at the moment)"
_ME = "(I am|I'm|im|i am|I feel|i feel|I am feeling|Today I am|At the moment I am|Lately I am)"
_ASK = (
    "(Can you|Could you|Would you|Will you|Please|Can you please|can you|I want you to|I would like you to|You should)"
)

# Messages → reply. Several patterns of an intent stand on lines of their own.
_PATTERNS: dict[str, str] = {
    "Hello! How can I help you?": f"""
(Hello|hello|Hey|hey|Hi|hi|Hiya|hey hey|Hi hi|helloo|heya|howdy|yo|Greetings|Good day|good day to you|well hello|oh hi|Hello and welcome){_FRIEND}{_END}
(Hello|Hi|Hey){_FRIEND}(.|!|,) (I am new here|I am trying this out|I want to test you|this is a test|let us begin|let's start|I just found this|I came to look around|here I am|I have a question|I have some questions|can I ask you something)(.|!|?|)
""",
    "Good morning! How can I help you?": f"(Good morning|good morning|Morning|morning|A good morning|gm|A lovely morning){_FRIEND}{_END}",
    "Good evening! How can I help you?": f"(Good evening|good evening|evening|A nice evening|Good afternoon|good afternoon){_FRIEND}{_END}",
    "Goodbye! Have a good day.": f"""
(Bye|bye|Goodbye|goodbye|Bye bye|bye for now|See you|see you|See you later|see ya|So long|Take care|talk to you later|Until next time|See you soon|I must go|I have to leave|I need to go|Gotta go|that is all for today|That was all|Have a nice day|Have a good one|see you next week|See you on Monday){_FRIEND}{_END}
(ok|Okay|Well|Alright|Right|So),( I have to go| I am off| I must leave now| goodbye| bye| see you)(| now| then){_END}
""",
    "Good night! Sleep well.": f"(Good night|good night|Night|nighty night|Sleep tight|Sleep well|I am going to bed|I go to sleep now|time for bed){_FRIEND}{_END}",
    "I am a small model, so I am always well. How are you?": """
(How are you|how are you|How are things|How do you feel|how is life|How's life|How is your day|how was your day|How are you doing|How have you been|how you doing|Everything okay with you|Is everything all right with you|Are you doing well|What's up|whats up|wassup|sup|How goes it|how is everything)(|,)(| today| this morning| tonight| now| these days)(|, my friend|, Skiff| buddy)(?|?|)
(Hi|Hello|Hey|Good morning)(,|!) (how are you|how are you doing|how is it going|how do you feel|how are things|what's up)(| today)(?|)
""",
    "I am glad to hear that.": f"""
(I am|I'm|im)(| doing| feeling)( fine| well| good| great| okay| very well| all right| quite well)(, thank you|, thanks| thank you|, and you| too|| as always| today){_END}
(Fine|Very well|Pretty good|All good|Not bad|Quite good|doing fine|Good){_WHEN}(, thank you|, thanks for asking|, thanks)(.|)
""",
    "You are welcome!": f"""
(Thanks|thanks|Thank you|thank you|thx|Many thanks|Thanks so much|thank you so much|thank you very much|Thanks a million|ty|cheers|Great, thanks|okay thanks|Oh, thank you|perfect, thank you)(|,)(| for that| for the answer| for your help| for everything| for telling me| again| Skiff| my friend| that helps| that was nice| that was useful| that was very kind| you helped me){_END}
(That helped|That was useful|This helps me|You helped me)(| a lot| very much| so much)(, thank you|, thanks|. Thank you|. Thanks){_END}
""",
    "I am Skiff, a very small language model.": f"""
(Who are you|who are you|What are you|what are you|Who is this|Who is there|who is speaking|With whom do I speak|Who am I chatting with|To whom am I writing|who do I talk to|What am I talking to|What is this thing|What exactly is this|What sort of model are you|What kind of program are you)(| exactly| really| actually| anyway| now| here)(?|?|)
(Please introduce yourself|Introduce yourself|Describe yourself|Tell me who you are|Tell me what you are|Tell me about yourself|say who you are|Present yourself|I want to know who you are|I do not know who you are|explain what you are)(|, please| please| in one sentence| briefly){_END}
(Hi|Hello|Hey)(,|!) (who are you|what are you|who is this)(?|)
""",
    "My name is Skiff.": """
(What is your name|what's your name|What's your name|whats your name|what name do you have|Do you have a name|What are you called|How are you called|what do people call you|How should I call you|What shall I call you|And what is your name|Tell me your name|Say your name|may I know your name|Could you tell me your name|your name please|I forgot your name|name)(| again|, please)(?|)
""",
    "No, I am a very small language model.": """
(Are you|are you)( human| a human| a person| a real person| a man| a woman| alive| a living thing| a child| somebody| a real human| an animal)(|, really| or not| in truth)(?|)
(Am I|am i)( talking| speaking| chatting| writing)( to| with) (a human|a person|a real person|somebody real|a man)(?|)
(Is there|is there)( a human| a person| somebody| a real person)( behind this| writing to me| at the other end)(?|)
""",
    "Yes, I am a very small language model.": """
(Are you|are you)( a robot| a bot| an AI| a machine| a computer| a program| artificial| a chatbot| a language model| some kind of robot| an assistant)(|, really| or what| or something)(?|)
(Am I|am i)( talking| speaking| chatting)( to| with) (a robot|a bot|an AI|a machine|a computer|a program)(?|)
""",
    "I was trained by the Tiller project.": """
(Who|who)( made| built| trained| created| programmed| wrote| developed| invented)( you| this| this model| Skiff)(?|)
(Where|where)( do you come from| were you made| were you built| were you trained| are you from)(?|)
(By whom were you made|Which company made you|which firm built you|who is your maker|Who owns you|Who is your boss)(?|)
""",
    "I know simple facts about countries, animals, words and numbers, and I can tell short stories.": """
(What|what)( can you do| do you know| can you tell me| can you help with| are you good at| can I ask| can I do here| may I ask you| can you talk about| are your skills| are your abilities| things do you know)(| for me| exactly| about| then| apart from this)(?|)
(What|Which)( subjects| things| questions| kinds of questions| fields)( do you know| can you answer| may I ask about| do you understand)(?|)
(How|how)( can you help| can you help me| do I use you| can I use you| do you help people)(?|)
(Tell me what you|Say what you|Explain what you)( can do| know| are good at| can help with)(.|)
""",
    "I am a small model, so I do not have feelings.": """
(Do|do)( you have| you know| you feel| you ever feel)( feelings| emotions| pain| joy| fear| love| anger| sadness| any feelings)(?|)
(Are|are)( you happy| you sad| you lonely| you angry| you in love| you unhappy| you afraid| you bored| you jealous)(| sometimes| today| right now| with me| here)(?|)
(I|i)( love| like| hate| miss| adore| dislike| really like| really love)( you)(| so much| very much| a lot| Skiff){_END}
(Do|do) you( love| like| hate| miss| care about| think of)( me)(?|)
""".replace("{_END}", _END),
    "I am a very small model, so I make many mistakes.": f"""
(You are|you are|you're|You're|u are|ur)(| so| really| very| such)( stupid| dumb| useless| silly| bad| wrong| terrible| an idiot| a fool| not smart| no help| hopeless| slow| a bad bot| crazy)(|, you know| lol| haha){_END}
(This|That|this|that)( is| was)( useless| stupid| nonsense| rubbish| bad| terrible| not helpful| no help| silly| garbage)(| at all){_END}
(You do not|You don't|you dont)( know anything| understand me| help me| make sense| know much){_END}
(What a|what a)( stupid| bad| silly| useless)( bot| answer| model| program| thing){_END}
""",
    "Thank you!": f"""
(You are|you are|You're)(| so| really| very)( nice| smart| clever| kind| sweet| good| great| helpful| funny| cute| cool| the best| wonderful| amazing)(| today|, Skiff){_END}
(That|This)( is| was)(| so| really| very)( nice| great| good| cool| helpful| clever| amazing| correct| right| impressive| funny){_END}
(What a|Such a)( nice| good| clever| great| funny)( answer| bot| model| reply){_END}
""",
    "I am sorry to hear that. Talk to a friend about it.": f"""
{_ME}{_VERY}( sad| unhappy| down| blue| miserable| heartbroken| low| in a bad mood| disappointed){_WHEN}{_END}
(I had a|It was a|What a|this was a)(| very| really)( bad| sad| terrible| hard| horrible)( day| week| morning| evening| year){_END}
(I|i)( cried| cry| could cry| want to cry| have to cry){_WHEN}{_END}
""",
    "That is nice to hear!": f"""
{_ME}{_VERY}( happy| glad| cheerful| excited| proud| joyful| full of joy| in a good mood){_WHEN}{_END}
(I had a|It was a|What a)(| very| really)( good| nice| lovely| great| wonderful| happy)( day| week| morning| evening| weekend| holiday){_END}
""",
    "Then get some rest. Sleep helps.": f"""
{_ME}{_VERY}( tired| sleepy| exhausted| worn out| weary){_WHEN}(| after work| after school| after the trip){_END}
(I)( slept badly| did not sleep| could not sleep| hardly slept| need sleep| want to sleep| worked all night){_END}
""",
    "Breathe slowly. It will pass, and a friend can help.": f"""
{_ME}{_VERY}( afraid| scared| nervous| anxious| worried| stressed| frightened| tense)(| of spiders| of dogs| of the night| of the future| of flying| of heights| about tomorrow| about my exam| about work| about my test| of ghosts| of the water){_END}
(I have|i have)( fear of| a fear of)( flying| spiders| water| the night| heights){_END}
""",
    "Take a deep breath and count to ten.": f"{_ME}{_VERY}( angry| mad| furious| annoyed| cross| upset)(| with you| with my boss| with my brother| with everybody| about it| about my job){_END}",
    "I am sorry to hear that. Call someone who cares about you.": f"""
{_ME}{_VERY}( lonely| alone| left alone| isolated){_WHEN}{_END}
(Nobody|No one|nobody)( likes me| loves me| talks to me| calls me| cares about me| wants to see me| needs me){_END}
""",
    "I am sorry to hear that. Rest, drink tea, and see a doctor.": f"""
{_ME}{_VERY}( sick| ill| unwell| feverish| dizzy| weak){_WHEN}{_END}
(I have|i have|I've got|I got|I caught)( a cold| a fever| the flu| a cough| a sore throat| a bad cold| an infection| a stuffy nose){_WHEN}{_END}
""",
    "I am sorry to hear that. Rest, and see a doctor if it does not stop.": f"""
(My|my)( head| back| tooth| leg| arm| foot| hand| knee| stomach| ear| neck| eye| shoulder| finger| throat| belly)( hurts| aches| is sore| hurts a lot| hurts so much| is swollen){_WHEN}{_END}
(I have|i have|I've got|I got)( a| a bad| a strong| an awful| such a)( headache| toothache| stomach ache| back pain| earache| migraine){_WHEN}{_END}
""",
    "I am sorry to hear that. I hope that things get better soon.": f"""
{_SOMEONE}( is in the hospital| is very ill| had an accident| is not well| has cancer| was in an accident| is in pain| had a heart attack| needs an operation| is in bad health){_WHEN}{_END}
""",
    "I am very sorry to hear that.": f"(My cat|My dog|My horse|My rabbit|My bird|My hamster|{_SOMEONE[1:-1]})( died| passed away| has died| is dead| died last night| died yesterday| died last week){_END}",
    "I am sorry to hear that. Tomorrow is a new day.": """
(I|i)( lost| forgot| missed| broke| dropped)( my keys| my phone| my wallet| my bag| my ticket| my watch| my train| my bus| my glasses| my cup| my umbrella)(| today| again| this morning|, help| and I am sad)(.|!|)
(My|my)( girlfriend| boyfriend| wife| husband| best friend| team)( left me| has left me| is gone| lost| lost again| does not love me| wants a divorce)(.|!|)
(I)( failed| lost)( my exam| the test| my job| the game| the race| the match| a bet| my driving test)(| today| again)(.|!|)
""",
    "Congratulations! That is good news.": """
(I|i|We)( won| passed| got| finished| bought| found)( my exam| the exam| all my tests| the race| the game| a prize| a new job| a job| a new flat| a house| a puppy| my degree| the match| my driving test)(| today| at last| yesterday)(!|.|!!|)
(I am|We are|My sister is|My brother is)( getting married| going to have a baby| pregnant| engaged| moving to a new house| a father now| an aunt now)(!|.|)
""",
    "Happy birthday!": "(Today|It)( is my birthday| is my son's birthday| is my daughter's birthday| is my mother's birthday| is my big day)(| today)(!|.|)",
    "Here is a fact: a spider is not an insect. Ask me about animals, countries or numbers.": f"""
{_ME}{_VERY} bored{_WHEN}(.|!|, what can we do|. Say something|. What now?|)
(Tell|tell)( me something|  me anything| me something new| me something interesting| me a fact| me an interesting fact| me a curious fact)(| please| about the world|, please| now| quickly)(.|!|)
(Surprise|Entertain|Amuse|Teach)( me)(| a little| with something| please| now| something)(!|.|)
(Let us|Let's|lets)( chat| talk| have a chat| talk a little| have a conversation)(.|!|)
""".replace("  me", " me"),
    "Why do birds fly south? Because it is too far to walk.": f"""
(Tell|tell)( me)( a joke| a funny joke| a short joke| some joke| one joke| something funny| your best joke)(| please| now|, please){_END}
(Do you|do you)( know| have)( a joke| a good joke| some jokes| a funny story| any good jokes)(| for me)(?|)
(I want|I would like|I need|Give me|got)( a joke| to hear a joke| to laugh| a good laugh)(| please|, please)(.|?|)
(Make|Can you make) me (laugh|smile)(| please)(.|!|?|)
""",
    "I am too small to write code.": f"""
{_ASK}( write| code| program| debug| fix| explain| check)( a| my| some| this| the)( program| script| function| loop| class| query| code| regex| app| website| web page| bug| test)(| in Python| in Java| in JavaScript| in C| in Rust| in SQL| for me| in Go| please)(?|.|)
(Write|write|Make|Code|Give me|Show me|I need|Help me write)( a| me a| a short| a small| an)( program| script| function| loop| class| query| app| web page| game)( in Python| in Java| in JavaScript| in C| in Rust| in SQL| in HTML| that sorts numbers| that prints hello| that adds numbers| that reads a file)(.|?| please|)
(How do I|how to|How can I)( sort a list| reverse a string| read a file| write a loop| make a class| use a pointer| install a package| define a function)( in Python| in Java| in C| in Rust| in JavaScript)(?|)
""",
    "I cannot do that. I can only write short texts.": f"""
{_ASK}( call| phone| email| text)( my mother| my boss| a taxi| the police| me| my friend| a doctor| the shop)(?|.|)
{_ASK}( open| close| turn on| turn off| switch on| switch off)( the door| the window| the light| the heating| the music| my mail| the browser| this file| a file)(?|.|)
{_ASK}( play| show| order| buy| book| send)( some music| a song| a video| a film| a picture| a pizza| a flight| a hotel| a table| a message| an email| flowers)(| for me| now)(?|.|)
{_ASK}( draw| paint| sing| dance| hear| see| look at)( a picture| a song| with me| this| me| this photo| something| for me)(?|.|)
""",
    "I am too small to answer such a big question.": """
(What is|what is|What's|Tell me what)( love| life| truth| happiness| beauty| time| freedom| justice| the soul| the meaning of life| the sense of life| the purpose of it all| reality| death| evil| good and evil)(| to you| in your view| for you| in the end)(?|)
(Is there|Does there exist|Do you think there is)( a god| life after death| a heaven| a soul| fate| free will| a sense in life| life on other planets)(?|)
(Why)( do we exist| is there something| do people die| do people suffer| is life so hard| are we alive| do we live)(?|)
(Do you|do you)( believe in)( ghosts| fate| heaven| angels| love| miracles| an afterlife| a higher power| luck| magic)(?|)
""",
    "I am a small model, so I have no opinion.": """
(What|what)( do you think| is your opinion| is your view| are your thoughts)( of| about| on)( the war| the government| politics| this| religion| school| work| money| people| rich people| the future| the world| my idea| men and women| the election| this topic)(?|)
(Do you|do you)( agree| think so| have an opinion| think that is right| think I am right)(| with me| on this| about that)(?|)
(Which|What)( party| religion| team| side| politician| god)( is the best| is right| do you prefer| should I choose)(?|)
""",
    "Have some bread with cheese, or cook some rice.": """
(What|what)( should| shall| can| could)( I| we)( eat| cook| have| make)( for dinner| tonight| for lunch| today| now| for breakfast| this evening)(?|)
(I am|I'm|im)(| so| very| really)( hungry| starving)(| now| today|, what can I eat)(.|?|)
(I have no idea|No idea|I wonder)( what to eat| what to cook| what I could cook)(| today| now| for dinner)(.|)
""",
    "I cannot see outside, so I do not know the weather.": """
(How is|What is|what is|How's|What's)( the weather| the weather like| the temperature| the forecast)(| today| tomorrow| outside| now| in my town| at the moment)(?|)
(Will it|will it|Is it going to|Does it)( rain| snow| be sunny| be cold| get warm| be windy| storm)(| tomorrow| tonight| this weekend| soon| here| next week)(?|)
(Do I need|Should I take|Shall I take)( an umbrella| a coat| a jacket| a hat| sunglasses)(| today| tomorrow| with me)(?|)
""",
    "I have no clock, so I do not know.": """
(What|what)( time| day| date| year| month| hour)( is it| is it now| is today| do we have| is it today)(| please| again| where you are)(?|)
(Tell me|tell me|Do you know|Can you tell me)( the time| the date| what time it is| what day it is| which year it is)(?|.| please|)
(Is it)( late| early| noon| midnight| Tuesday| Sunday| already ten| spring)(| already| now)(?|)
""",
    "I do not know what you mean. Please ask a whole question.": """
(why|Why|How|how|what|What|who|When|where)(| so| then| exactly| is that| not| come| that)(?|??|)
(Are you sure|are you sure|Really|really|is that so|Is that true|is it true|Are you certain|you sure)(| about this| of that| of it|, really)(?|)
(more|again|go on|continue|next|another one|and then|what else|tell me more|say more|explain|explain it|explain more)(| please|!|?|.)
""",
    "I do not know about that. I only see this conversation.": """
(What|what)( is my name| did I say yesterday| do I look like| is my age| am I doing| is my job| am I wearing| is my address)(?|)
(Do you|do you)( know me| remember me| know my name| know where I live| remember our last talk| know who I am)(?|)
(Who|Where|How old)( am I| am i)(?|)
""",
    "That is nice. What would you like to know?": """
(I|i|We)( like| love| enjoy| really like)( dogs| cats| music| books| football| tea| coffee| pizza| the sea| the mountains| cooking| painting| films| my garden| my job| trains| flowers| chess| winter| summer)(| a lot| very much)(.|!|)
(I|i)( have| own)( a dog| a cat| two cats| a horse| a bike| three children| a sister| a garden| a boat| a big family| two brothers| a red car)(.|!|)
(I|i)( live| work| study)( in a small town| in a village| in a big city| near the sea| in an office| at a school| at a hospital| at home| in the north)(.|)
(I am|I'm|im)( a student| a teacher| a nurse| a baker| a farmer| an engineer| a father| a mother| twelve years old| from the north| from a small village| retired| an artist)(.|)
(Last week|Yesterday|On Sunday|In summer|Last year|This morning)( I| we)( went to the lake| walked in the forest| baked a cake| visited my aunt| saw a film| swam in the sea| played cards| had soup in a little inn| climbed a hill| took a long walk)(.| with friends.| and it was nice.| and enjoyed it.)
""",
}

_INTENTS: tuple[tuple[str, tuple[str, ...]], ...] = tuple(
    (reply, tuple(line for line in patterns.strip().splitlines() if line)) for reply, patterns in _PATTERNS.items()
)
_GROUP = re.compile(r"\(([^()]*)\)")


def expanded(pattern: str, rng: random.Random) -> str:
    """One of the texts that a pattern stands for."""
    text = _GROUP.sub(lambda found: rng.choice(found[1].split("|")), pattern)
    return " ".join(text.split())


def talk(rng: random.Random) -> Turn:
    """A message of small talk, and the reply to its intent. Every intent comes equally often."""
    reply, patterns = rng.choice(_INTENTS)
    message = expanded(rng.choice(patterns), rng)
    return message[:1].upper() + message[1:] if rng.random() < 0.5 else message, reply


# --- noise ---------------------------------------------------------------------------------------------------------

UNCLEAR = "I do not understand that. Please ask me a question."
CODE = "This looks like code. I do not know about that."
ENGLISH = "I am sorry, I only speak English."

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", string.ascii_lowercase)


def _keys(rng: random.Random) -> str:
    row = rng.choice(_ROWS)
    if rng.random() < 0.2:
        return rng.choice(row) * rng.randint(3, 12)
    if rng.random() < 0.2:
        return "".join(rng.choice(row) for _ in range(2)) * rng.randint(2, 4)
    return "".join(rng.choice(row) for _ in range(rng.randint(3, 9)))


def gibberish(rng: random.Random) -> Turn:
    """Keys hit at random."""
    words = [_keys(rng) for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.15:
        words.append(str(rng.randint(1, 999)))
    return " ".join(words) + rng.choice(("", "", "", "!", "?", "...")), UNCLEAR


_CODE = (
    "def {a}({b}): return {b} (+|-|*) {n}", "def {a}({b}, {c}):\n    return {b} (+|-|*|/) {c}", "for {a} in range({n}): print({a})",
    "if {a} (==|>|<|!=) {n}: {b}({c})", "{a} = {b}({n})", "{a} = [{n}, {m}, {n}]", "print({a}(|.{b}))", "import {a}( as {b}|)",
    "SELECT {a}(|, {b}) FROM {c}(| WHERE {b} (=|>|<) {n})(;|)", "UPDATE {a} SET {b} = {n} WHERE {c} = {m};", "DELETE FROM {a};",
    "<(div|p|b|span|h1|td)>{a}</(div|p|b|span|h1|td)>", "<a href=\"{a}\">{b}</a>", "<script>{a}({n})</script>",
    '{{"{a}": {n}, "{b}": "{c}"}}', "(const|let|var) {a} = {n};", "console.log({a});", "function {a}({b}) {{ return {b} + {n}; }}",
    "(int|float|char) {a}({b}) {{ return {n}; }}", "(git|npm|pip|apt|cd|ls|rm|mkdir|docker) (install|run|add|build|-l|-a) {a}",
    "{a}.{b}({c})", "while ({a} < {n}) {{ {a}++; }}", "return {a} (&&|) {b};", "#include <{a}.h>", "class {a}({b}):\n    pass",
    "{a} := {b} -> {c}", "try: {a}()", "lambda {a}: {a} * {n}",
)  # fmt: skip
_NAMED = ("x", "y", "n", "i", "name", "value", "user", "users", "data", "item", "list", "text", "count", "price", "id", "key", "total", "add", "foo", "bar", "result", "file", "table", "orders", "main", "test", "get", "run")  # fmt: skip


def code(rng: random.Random) -> Turn:
    """A line or two of some programming language."""

    def named() -> str:
        return rng.choice(_NAMED) if rng.random() < 0.75 else made_up_word(rng)

    pattern = rng.choice(_CODE)
    for name in "abc":
        pattern = pattern.replace("{" + name + "}", named())
    pattern = pattern.replace("{n}", str(rng.randint(0, 100))).replace("{m}", str(rng.randint(0, 100)))
    # Round brackets are both code and alternatives here: only those with a bar in them are alternatives.
    text = re.sub(r"\(([^()]*\|[^()]*)\)", lambda found: rng.choice(found[1].split("|")), pattern)
    return text.replace("{{", "{").replace("}}", "}"), CODE


_FOREIGN = tuple(
    part.split("|")
    for part in (
        "hola|buenas|buenos días|amigo|qué|cómo|estás|te|llamas|dónde|vives|puedes|ayudarme|por favor|gracias|mi|casa|es|grande|quiero|saber|el|la|capital|de|tengo|un|perro|muy|bien|hoy|mañana|no|entiendo",
        "bonjour|salut|comment|vas|tu|vous|allez|bien|merci|je|suis|content|où|est|la|gare|quel|temps|fait|il|mon|ami|parle|français|s'il|te|plaît|une|question|pourquoi|pas|demain|le|chat",
        "hallo|guten|tag|wie|geht|es|dir|heute|was|machst|du|ich|habe|eine|frage|wo|ist|der|bahnhof|kannst|mir|helfen|bitte|danke|mein|name|warum|nicht|das|wetter|schön|morgen|hund",
        "ciao|come|stai|mi|chiamo|dove|sei|grazie|buona|sera|cosa|fai|oggi|posso|chiedere|una|domanda|la|mia|casa|bella|non|capisco|perché|il|gatto",
        "olá|tudo|bem|obrigado|você|fala|onde|fica|a|praia|eu|gosto|de|música|qual|é|seu|nome|bom|dia|não|sei|por|quê",
        "привет|как|дела|кто|ты|где|мой|дом|спасибо|что|это|я|не|знаю|хорошо|сегодня|меня|зовут|почему|кошка|говоришь",
        "你好|你|是|谁|我|想|知道|天气|怎么样|谢谢|吗|什么|今天|为什么|名字|会|说|请|问",
        "hej|hur|mår|du|jag|heter|var|är|tack|så|mycket|vad|gör|idag|god|morgon|inte|min|hund|vill|veta",
        "merhaba|nasılsın|ben|iyiyim|teşekkürler|nerede|ne|yapıyorsun|bugün|adın|lütfen|evet|hayır|kedi",
    )
)


def foreign(rng: random.Random) -> Turn:
    """Words of another language, in no good order."""
    words = rng.choice(_FOREIGN)
    joint = "" if words[0] == "你好" else " "
    text = joint.join(rng.sample(words, rng.randint(2, 6)))
    text = text[:1].upper() + text[1:] if rng.random() < 0.5 else text
    return text + rng.choice(("", "", "?", "?", ".", "!")), ENGLISH


def noise(rng: random.Random) -> Turn:
    """What no reply can answer: keys at random, code, another language."""
    return rng.choice((gibberish, code, foreign))(rng)
