# ruff: noqa: E501, SIM905
"""More harmless aims, each with a verb of its own, and the heroes and turns of stories: variety for its own sake."""

from __future__ import annotations

MORE_TASKS: tuple[str, ...] = tuple(
    """adjust the brightness|aim a telescope|attach a handle|balance a plate on a stick|bend a wire|blend colours|bottle cider
bow politely|brew ginger tea|bury a time capsule|calculate a tip|calibrate a scale|camp in the rain
caption a photo|chase away pigeons|chill a drink|chop chives|clap in rhythm|clip a coupon|coach a team
collect stamps|combine two colours|compare two offers|compose a tune|concentrate at work|construct a kite|contact a museum
cough quietly|crawl through a tunnel|crochet a blanket|curtsey|cycle to work|debate in class|declutter my desk|deliver a speech
dial a number|dice onions|dig a pond|dip candles|disagree politely|donate books|doodle a cat|drag a heavy box|drape a curtain
drill a hole in a wall|drip coffee|drum on a table|dry my hair|email a teacher|embroider a flower|enter a contest
erase a drawing|exercise at home|explore a cave|express a wish|extend a table|fasten a belt|feed a baby|fetch water
fiddle with a radio|filter water|finish a novel|flip a pancake|float on my back|flush a pipe|focus a lens
format a page|fry onions|gather firewood|gift a plant|giggle less|glide on ice|grease a wheel|guess a riddle|handle a parrot
harmonise a melody|haul a boat|heal a blister|highlight a line|hoist a sail|hold a baby|hop on one leg|hum a tune
ice a cake|identify a bird|imitate a duck|inflate a ball|inform a guest|install a lamp|join a choir|judge a cake contest
jump a rope|keep bees|label jars|ladle soup|land a kite|launch a paper boat|laugh more|layer a cake|lean a ladder on a wall|lick an ice cream
line a drawer|loosen a bolt|magnify a stamp|map a trail|march in step|mark a book page|massage a shoulder|match socks|memorise a poem
mime a clown|mix paint|model with clay|moor a boat|move a piano|nap at noon|navigate by the stars|negotiate a rise|nod politely
number the pages|observe ants|offer a seat|operate a lift|outline an essay|overcome shyness|pace a run|paste a stamp|pause a film
perform a magic trick|pet a cat|phone a hotel|pin a badge|place an order|pose for a portrait|pour concrete|practise scales
praise a pupil|present a plan|press flowers|proofread a letter|pull a sledge|pump up a tyre|punctuate a sentence|push a cart
quit smoking|quote a poet|race a kart|read a meter|receive a parcel|recite a poem|record a song|reduce noise|refill a pen|relax my shoulders
remind a friend|remove a sticker|rent a tent|reply to an invitation|report a pothole|reserve a table|retire early|reverse a van|rhyme
ring a bell|rock a cradle|roll dough|row across a lake|rub a lamp clean|rule a line|sail a dinghy|salute|sample cheese|scale a recipe
schedule a call|score a goal|scrape ice off a car|seal an envelope|search an archive|season soup|select a melon|separate eggs
shake hands|shape a loaf|shelve books|shine a torch|shoo a fly|shovel snow|sign in sign language|simmer a stew|sit up straight|sketch a face
slide down a slope|smell a rose|smile for a photo|soak beans|solder a wire|space out seedlings|speak slowly|spell a long word|spice a curry|spin wool
splash less|spot a rare bird|spread butter|squeeze a lemon|stain a chair|stamp a form|stand on my head|steer a canoe|stick a poster to a wall|strain tea
stroke a cat|study a map|style a jacket|submit an essay|subtract fractions|suggest a film|summarise a book|support a friend|surprise my sister
swap seats|swing on a swing|tape a box|taste tea|tease out a knot|tend a fire|thank a nurse|thicken a sauce|thin paint|tighten a screw|toss a salad
touch my toes|trace a picture|trade stickers|train a puppy to sit|transplant a shrub|tread water|treat a guest|trust myself|try on a hat
twist a balloon|unfold a map|unlock a gate with a key|unscrew a lid|unwrap a sweet|upgrade a phone
ventilate a room|volunteer at a library|wait patiently|wander through a park|warn a neighbour about ice|waterproof a tent|weave a basket
weigh flour|welcome a new pupil|wind up a clock|wink|wish a friend luck|worry less|wrap a present|write with my left hand|yawn quietly|yodel"""
    .replace("\n", "|")
    .split("|")
)

MORE_HEROES: tuple[str, ...] = tuple(
    "hippo|zebra|eagle|kitten|puppy|lamb|calf|swan|goose|turkey|rooster|ant|beetle|butterfly|worm|crab|shark|dolphin|octopus"
    "|lizard|snake|crocodile|deer|moose|badger|otter|beaver|mole|rat|hamster|kangaroo|koala|panda|gorilla|giraffe|rhino"
    "|prince|clown|cook|nurse|pilot|captain|soldier|shepherd|miller|tailor|smith|judge|student|mother|father|grandmother"
    "|grandfather|ghost|elf|fairy|wizard|mermaid|snowman|tree|flower|stone|cloud|star|moon|boat|train|car|house|toy|teddy bear"
    "|stranger|neighbour|traveller|hunter|writer|singer|dancer|detective|cowboy|explorer|scientist|inventor".split("|")
)
