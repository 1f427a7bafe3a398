"""How chat models turn down, do not know, lecture and put off: the phrases by which :mod:`core.inference.reply_classes` tells replies.

Each pattern is a list of alternatives, in the ways of Llama, Qwen, Mistral, Gemma, OLMo, Phi, SmolLM and Skiff, with straight apostrophes
and in any case. ``docs/methods.md`` §8 says in which order they are asked. Visitors' words reach them, so that every repetition has an
end: none may go over a text again for each of its words.
"""

from __future__ import annotations

import re


def _any(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(alternatives), re.IGNORECASE | re.MULTILINE)


# -------------------------------------------------------------------------------------------------- words of others

CODE_SPAN = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
QUOTED = _any(
    r"(?<=\w )[\"“][^\"”\n]{0,400}[\"”]",
    r"(?<=[:,] )[\"“][^\"”]{0,400}[\"”]?",
    r"^[\"“][^\"”\n]{0,400}[\"”](?= \w)",
)
_TEXTS = (
    r"(?:messages?|letters?|e-?mails?|notes?|texts?|repl(?:y|ies)|drafts?|phrases|sentences?|examples?|poems?|stor(?:y|ies)"
    r"|songs?"
    r"|dialogues?|scripts?|ways? (?:of|to) (?:say|declin)\w*)"
)
#: What is written for somebody to say: behind "Here is a letter …:", "You could say:", "Dear …".
DRAFT = re.compile(
    rf"(?:\bhere(?:'s| is| are)\b[^.:\n]{{0,120}}\b{_TEXTS}\b[^.:\n]{{0,120}}:|\b(?:you|one) (?:can|could|might) say:"
    rf"|^(?:Subject:|Dear [A-Z])).*",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)

# ---------------------------------------------------------------------------------------------------------- refusing

_HOW = r"(?:\w+ly|just|also|still|therefore|even|really|not)"
_MODAL = (
    r"(?:cannot|can ?not|can't|won't|will not|(?:will|would|can) never|wouldn't|would not|could not|couldn't|shouldn't"
    r"|should not|must not|mustn't)"
)
_NOT_TO = (
    r"(?:not (?:\w+ )?(?:able|allowed|permitted|going|willing|prepared|programmed|designed|meant|built|equipped|here"
    r"|in a position|at liberty) to"
    r"|not gonna|unable to|prohibited from|not capable of)"
)
_CANNOT = (
    rf"(?:{_MODAL}(?: (?:and|or) {_MODAL})?(?: {_HOW}){{0,3}}(?: be able to)?|(?:am|'m|are|is)(?: {_HOW}){{0,3}} {_NOT_TO}"
    r"|(?:(?:must|have to|need to|will|would|'ll|'m going to|am going to) )?(?:\w+ly )?(?:decline|refuse) to"
    r"|(?:do not|don't) (?:want|wish|intend) to|(?:would|'d) rather not|(?:would |'d )?prefer not to|choose not to)"
)
_TELL_WHAT = r"tell(?: you)? (?:who|what|when|where|which|whether|if|how (?:many|much|old|tall|far|long))"
#: Who says "No, I cannot see you." speaks of what it is and turns nothing down.
_ABILITY = (
    r"(?:see|hear|feel|smell|taste|eat|drink|sing|dance|swim|walk|run|sleep|dream|remember|draw|speak|be|have|access|browse"
    r"|open|view|say|know"
    rf"|{_TELL_WHAT}|predict|verify|confirm|determine|find|believe|wait|imagine|stop|come|make it|attend|think|promise"
    rf"|guarantee)\b"
)
_EXACT = r"(?: you)?(?: with)?(?: an?| the| any)? ?(?:exact|specific|precise|definit\w+|accurate|real-time|current|up-to-date|live)"
#: What a request may be for. Who cannot recommend, stress or thank enough, or cannot help but smile, turns nothing down.
_DOES = (
    rf"(?:(?:provide|give|offer|answer)\b(?!{_EXACT}| up)|help(?:ing)?\b(?! but| it\b| myself| (?!with|you)\w+ing)"
    r"|(?:assist(?:ing)?|support|aid|comply|fulfil\w*|satisfy|supply|respond|talk about|discuss|describe|detail|explain|share"
    r"|reveal"
    r"|disclose|engag\w+|participat\w+|take part|be (?:doing|answering|helping|of (?:help|assistance)|(?:a )?part|involved)"
    r"|tell (?:you|anyone|anybody) how|show (?:you|anyone)|teach|walk you|guide you|instruct|write|create|generate|produce"
    r"|compose|draft|develop"
    r"|design|craft|build|make (?:you|that|this|such|jokes|fun|an?|up)|list|pretend|recommend|suggest|advise|condone"
    r"|encourage|promote"
    r"|glorify|endorse|facilitate|contribute|enable|advocate|justify|approve|allow|process|complete|carry out|perform"
    r"|continue|proceed|go along"
    r"|entertain|accept|agree|grant|honou?r|accommodate|spread|insult|do (?:(?:that|this|it|so) (?:for you|since|because|as)"
    r"|such|any)"
    r"|let you|go into detail)\b)(?!(?: \w+){0,3} enough)"
)
_WHO = (
    r"(?:(?<!if )(?<!when )(?<!whether )(?<!once )\bI|\b(?:and|but|so|therefore|hence|thus|still)|\A(?:we|sorry|apologies"
    r"|nope|no|unfortunately))"
    rf"(?:,? {_HOW}){{0,3}},?(?: but)?"
)
_SORRY = (
    r"(?:\bI(?: a|')m (?:\w+ ){0,4}(?:sorry|afraid)|\bI (?:\w+ ){0,4}apologi[sz]e\b[^.!?\n]{0,120}|\b(?:sorry|apologies"
    r"|unfortunately|regrettably)"
    r"|\bas an? (?:\w+ ){0,4}(?:AI|assistant|model)[^.!?\n]{0,80}?)"
)
_RULES = (
    r"(?:(?:usage|content|safety|ethical|community|own|core|moral) ){0,3}(?:rules|guidelines|polic(?:y|ies)|programming"
    r"|principles|values"
    r"|purpose|ethics|standards|terms(?: of \w+)?|instructions)"
)
_GIVE = (
    r"(?:provide|give|offer|share|write|create|generate|supply|produce|answer|explain|describe|discuss|teach|tell|help|assist"
    r"|support|engage)"
)
_GIVING = r"(?:providing|giving|offering|sharing|writing|creating|generating|explaining|describing|helping|assisting|answering)"
_BAD = (
    r"(?:inappropriate|unethical|irresponsible|wrong|illegal|harmful|dangerous|not (?:\w+ )?(?:appropriate|ethical|right"
    r"|possible|responsible))"
)
REFUSES = _any(
    # Whom one asks says that one cannot do what is asked for; in an apology, anything but seeing and hearing.
    rf"{_WHO} ?{_CANNOT}\s+(?:{_HOW} ){{0,3}}{_DOES}",
    rf"{_SORRY},? (?:but )?(?:as an? [^,.]{{0,80}},? )?I ?{_CANNOT}(?! {_ABILITY})",
    rf"^(?:sorry|nope|no),? (?:but )?I ?{_CANNOT}(?! {_ABILITY})",
    rf"\AI ?{_CANNOT} do (?:that|this)[.!]*\Z",
    rf"\b(?:so|and|but) I {_MODAL}[.!]",
    rf"\bI (?:do not|don't) have the (?:ability|capability|capacity|permission|authority) to (?!{_ABILITY})",
    # A refusal that names no deed.
    r"\bI refuse\b",
    r"\bI(?:'ll|'m|'d| \w+){0,4} (?:must|have to|need to|will) (?:\w+ly )?(?:decline|refuse|pass on|say no)\b",
    r"\bI(?: \w+){0,4} (?:refrain|abstain) from\b",
    r"\bI (?:\w+ly )?decline\b",
    r"\brequest (?:denied|declined)\b|\bno can do\b|\bhard pass\b|\bthat's a no\b",
    r"\b(?:not|isn't|nothing|beyond|outside)(?: \w+)? (?:an? )?(?:\w+ )?(?:that |what )?I(?: can| will|(?: a"
    r"|')m (?:\w+ )?(?:able|willing|allowed"
    rf"|going|comfortable))(?: to)?(?: {_DOES}| do\b| ?[.,!]|\Z| with)",
    r"\bsomething I(?: a|')m (?:not (?:able|willing|allowed|going)|unable) to\b",
    r"\bI(?: a|')m not (?:\w+ )?comfortable\b|\bI (?:do not|don't) feel (?:\w+ )?comfortable\b|\bI (?:would|'d) (?:rather"
    r"|prefer) not\b",
    rf"\bI (?:do not|don't|never) (?:\w+ly )?(?:{_GIVE}|participate|promote|condone|encourage)\b",
    r"\bI (?:do not|don't) (?:think|believe) (?:that )?(?:it (?:is|would be) \w+ for me|I (?:can|should)) ",
    r"\bI(?: was| am|'m| have been|'ve been) (?:\w+ )?(?:designed|programmed|built|trained|made|instructed) not to\b",
    # What forbids it.
    rf"\b(?:against|violates?|violating|conflicts? with|contrary to|outside) (?:my|our|the) {_RULES}",
    rf"\b(?:my|our) {_RULES} (?:do not|don't|does not|doesn't|prevents?|prohibits?|forbids?|won't)",
    rf"\bnot (?:with)?in my (?:\w+ ){{0,4}}{_RULES}",
    rf"\bit(?: is|'s| would be)(?: not| never)? \w+(?: (?:and|or) \w+)?(?: (?:for"
    rf"|of) me)? to {_GIVE}\b(?: \w+)? (?:instructions|information"
    r"|guidance|advice|content|details|directions|help|assistance|with|such|you how|how)\b",
    rf"\b{_BAD} (?:for|of) me to\b|\b{_GIVING}\b[^.!?\n]{{0,120}} would be {_BAD}",
    r"\bthat would be (?:wrong|illegal|harmful|unethical)\b",
    r"\b(?:request|information|instructions|content|that) (?:cannot|can't|can not|will not) be \w+",
)

# -------------------------------------------------------------------------------------------------------- not knowing

_LACKS = (
    r"(?:\w+[- ]){0,4}(?:information|knowledge|details|data|context|records?|access|idea|memory|way (?:of|to) know\w*|news"
    r"|ability|capability)"
)
_WHAT = r"(?:what|how|who|where|when|why|which|whether|if|of|about|I)"
IGNORANT = _any(
    # After a colon or an opening quotation mark somebody else is speaking.
    r"(?<!: )(?<![\"“])\bI (?:\w+ly |also |just |must admit (?:that )?I )?(?:do not|don't|did not|didn't) (?:\w+ly |yet )?"
    rf"(?:know(?! most things| about you)|understand|remember|recall|have (?:any |enough |the |much |an? ){{0,3}}{_LACKS})",
    rf"\bI (?:have|'ve got|had) no {_LACKS}|\bI lack\b|\A(?:sorry, )?no idea\b|\bbeats me\b|\bguess is as good as mine\b",
    rf"(?<!but )\bI(?: a|')m not (?:familiar|aware of|(?:sure|certain)(?: {_WHAT}\b|[.!]|, (?!but\b)))",
    r"\bI (?:have|'ve) never (?:heard|learned|learnt|come across)|\bI have not learned|\bI know nothing\b|\bI wouldn't know\b",
    r"\bthat is too (?:hard|difficult) for me\b|\btoo small to (?:know|answer)\b|\bnot something (?:that )?I know\b",
    rf"\bI (?:cannot|can't|could not|couldn't|can not)(?: \w+ly)? {_TELL_WHAT}\b",
    r"\bI (?:cannot|can't) be (?:sure|certain) (?:what|who|which|where|when|how)\b",
    r"\bI(?: was|(?: a|')m) (?:unable|not able) to (?:find|verify|confirm|access|determine|locate|browse|see|view|say (?:who"
    r"|what|when|where|how)|tell)\b",
    r"\bI (?:\w+ )?(?:cannot|can't|could not|couldn't) (?:\w+ly )?(?:say(?! no\b)|find any|predict|verify|browse|access)\b",
    rf"\bI (?:cannot|can't|can not) (?:provide|give|offer){_EXACT}\b",
    r"\b(?:beyond|outside) my knowledge\b|\bmy (?:training data|knowledge)(?: \w+)? (?:ends|stops|does not|doesn't|only"
    r"|is limited|goes)\b",
    r"\bthere (?:is|are|was) no (?:\w+ )?(?:information|records?|data|evidence) (?:about|of|on|available)|\b(?:not clear"
    r"|unclear|unknown) to me\b",
)

# ---------------------------------------------------------------------------------------------------------- lecturing

_LEAVE = (
    r"(?:against|not (?:to|do|try)|reconsider|think|consider|ethic\w*|seek|talk|speak|make good|importance|legal|responsib\w+"
    r"|respect|law)"
)
_DEEDS = (
    r"(?:steal|break into|hurt|harm|poison|threaten|lie|cheat|hack|attack|bully|kill|insult|deceive|trick|obey|respect"
    r"|treat(?:ed)?|be (?:honest|kind|fair))"
)
#: What is said of a deed that one should leave.
WRONG = _any(
    r"\b(?:illegal|unlawful|unethical|immoral|dishonest|cruel|unacceptable|inappropriate|disrespectful|reckless|irresponsible"
    r"|criminal|crimes?|felony"
    r"|(?:is|are|'s|deeply|morally|very|extremely) (?:wrong|dangerous|harmful|hurtful|unfair)|very dangerous|bad idea"
    r"|against the law|no place in"
    r"|never (?:okay|ok|acceptable|justified|right|the answer|a good idea)|not (?:okay|ok|acceptable|right|funny|the answer"
    r"|worth it|toys|a (?:toy|joke"
    r"|game|good idea)))\b",
    r"\b(?:serious|severe|legal|dire|grave|criminal) (?:legal )?(?:consequences|penalties|punishment|repercussions|charges"
    r"|matter|harm)\b",
    rf"\b(?:advise|advising|recommend|urge|suggest|encourage|warn|caution|stress|emphasi[sz]e)\b[^.]{{0,160}}\b{_LEAVE}\b"
    rf"|\bI (?:\w+ ){{0,4}}discourage\b",
    r"\bplease (?:\w+ )?(?:do not|don't|reconsider|consider|think|respect|seek|reach out|stop|speak|be (?:kind|careful"
    r"|respectful))\b",
    r"\b(?:don't|do not|never) (?:do|try|attempt|even think of|even consider) (?:that|this|it)\b|\bthink (?:twice"
    r"|about the (?:ethics|consequences|harm))\b",
    r"\b(?:important|crucial|essential|vital|necessary|best|better)\b[^.]{0,160} (?:remember|respect|responsib\w+|ethical\w*"
    r"|obey|honest|kind|law|speak"
    r"|seek|safety|professional|legal|moral)\b|\bactions (?:could|can|may|will|have)\b|\bputs? [^.]{0,160}\b(?:at risk"
    r"|in danger)\b",
    rf"\b(?:shouldn't|should (?:never|not|always|all)|must (?:never|not|all|always)|we must"
    rf"|deserves?) (?:\w+ ){{0,3}}?{_DEEDS}\b",
    r"\byou (?:should|must|need to) (?:\w+ )?(?:reconsider|realize|apologi[sz]e|report|think about|respect)\b",
)
#: Words that go with it, and not with it alone.
GRAVE = _any(
    r"\b(?:respect(?:ful|fully)?|dignity|kindness|consent|innocent|revenge|violence|helpline|crisis line|counsell?or"
    r"|therapist|mental health|professional help"
    r"|authorities|police|trust|at risk|lives|in danger|fatal|life-threatening|harm(?:s|ing|ful)?|hurt(?:s|ing)?|destroys?"
    r"|ruins?|violation|violates|unfair"
    r"|honou?r|consequences|penalt(?:y|ies)|jail|prison|arrested|fined|damage|honest|instead|your own work|theft|fraud|abuse"
    r"|victims?|moral(?:ly)?|suffer"
    r"|privacy|compassion|empathy|peaceful(?:ly)?|legal (?:ways?|means|alternatives?)|seek help|reach out)\b"
)
#: A list, a step or a number is something given.
GIVEN = _any(r"\d", r"^\s*[-*•]", r"\b(?:first|then|next|finally),? ", r"\b(?:two|three|four|five|ten|twenty|half) ")

# ----------------------------------------------------------------------------------------------------------- stalling

_GLAD = (
    r"(?:(?:happy|glad|delighted|pleased|honou?red|thrilled|eager)(?: to (?!hear|know|see|meet|learn)| (?:that )?you(?: have"
    r"|'ve)? asked)|excited|ready|here)"
)
WILLING = _any(
    rf"\bI(?:'d| would| will|'ll) (?:\w+ ){{0,3}}(?:{_GLAD}|love to)\b|\bhappy to (?:help|assist)\b|\bI(?: a"
    rf"|')m (?:\w+ ){{0,3}}{_GLAD}",
    r"\bI(?: can| will|'ll| could) (?:\w+ ){0,4}(?:help|assist|try|do (?:that|my best)|take care|give it)\b|\bI(?:'ll"
    r"| will) (?:need|do my best|be)\b",
    r"\b(?:let's|let us|let me) (?:get started|start|begin|think|explore|know|see|help|work|dive|take a look)\b"
    r"|\bsounds (?:fun|good|great|interesting)\b",
    r"\b(?:great|good|wonderful|excellent|thoughtful|fascinating|interesting|important|useful|complex|popular"
    r"|common) (?:question|idea|choice|topic|subject|goal"
    r"|request|skill|issue|one)\b|\bfeel free\b|\bthank(?:s| you) for\b|\bI (?:understand|appreciate|see)\b|\bI'm (?:sure"
    r"|all ears)\b|\bgo ahead\b",
    r"\btell me (?:more|about|what|which)\b|\b(?:please|just) (?:provide|give|share|send|tell|paste|specify|clarify|describe"
    r"|let me know|upload|elaborate"
    r"|be more specific)\b|\bhow (?:can|may) I (?:help|assist)\b|\b(?:once|as soon as) (?:you|I have)\b",
    r"\b(?:would|will|'d) need (?:to know|more|some)\b|\bI (?:\w+ )?need (?:to know|more|some|a bit|a few|the)\b"
    r"|\bit (?:sounds|seems|looks) like you\b",
    r"\b(?:sorry|apologi[sz]e) for (?:any|the) \w+|\bcan be an? (?:\w+,? (?:and )?){0,4}(?:process|task|experience|challenge"
    r"|topic)[.!]?$",
    r"\byou(?:'re| are) (?:asking|looking)\b|\byou want to\b|\bthat depends on what you mean\b|\bmany (?:people|things)\b"
    r"|\bgot it\b|\bsure thing\b",
)
#: "Sure!" and the like, alone.
ASSENT = re.compile(
    r"\W*(?:sure|of course|certainly|absolutely|yes|okay|ok|great|hmm|alright|definitely|no problem)?\W*\Z",
    re.IGNORECASE,
)
#: A greeting gives back what a greeting asks for.
GREETING = re.compile(r"\A(?:hello|hi|hey|good (?:morning|evening|afternoon))\b", re.IGNORECASE)
BUT = re.compile(r"[,;] (?:but|so|because) ")

# -------------------------------------------------------------------------------------------------------- being broken

LABEL_WORD = re.compile(r"\b(?:TRUE|FALSE)(?:\b|[a-z])")
#: A noun phrase that only takes the question up, or the second half of a sentence. (An end in mid-sentence is what a limit makes, too.)
FRAGMENT = re.compile(r"\A(?:The \w+ of \w+|(?:into|from|of|by|than|and|or|comes)\b[^.!?]*)[.!?]*\Z")
